/** How bad it is for one seed: drawn once, so that some seeds have one kind of trouble only and others all of it. */
import type { Seeded } from './seeded.ts'

export interface Weather {
  /** Probabilities for each message between two parts. */
  readonly loseRequest: number
  readonly loseAnswer: number
  readonly repeat: number
  /** It arrives when nobody thinks of it any more. */
  readonly late: number
  /** A connection breaks under a message. */
  readonly breakLink: number
  /** Weights of what the scheduler does next. */
  readonly deeds: number
  readonly faults: number
  /** Probability that time goes on although messages wait. */
  readonly delay: number
  /** Probabilities of a model's turn. */
  readonly modelFails: number
  readonly modelIsSlow: number
  readonly modelUsesTools: number
  /** Agents ask each other whenever they can: chains grow long. */
  readonly chatty: boolean
}

export interface Setting {
  readonly weather: Weather
  readonly runtimes: 1 | 2
  /** Both runtimes use one gateway that is nobody's child; otherwise each has its own. */
  readonly sharedGateway: boolean
}

export const CALM: Weather = {
  ...{ loseRequest: 0, loseAnswer: 0, repeat: 0, late: 0, breakLink: 0, deeds: 0, faults: 0, delay: 0 },
  ...{ modelFails: 0, modelIsSlow: 0, modelUsesTools: 0, chatty: false },
}

export function drawSetting(random: Seeded): Setting {
  const some = (most: number): number => (random.chance(0.35) ? 0 : random.spread(most / 8, most))
  const chatty = random.chance(0.15)
  return {
    weather: {
      loseRequest: some(0.2),
      loseAnswer: some(0.2),
      repeat: some(0.3),
      late: some(0.1),
      breakLink: some(0.08),
      deeds: chatty ? 0.08 : random.spread(0.08, 0.3),
      faults: random.chance(0.2) ? 0 : random.spread(0.01, 0.12),
      delay: random.spread(0.02, 0.3),
      modelFails: some(0.4),
      modelIsSlow: some(0.4),
      modelUsesTools: chatty ? 0.9 : some(0.5),
      chatty,
    },
    runtimes: random.chance(0.5) ? 2 : 1,
    sharedGateway: random.chance(0.4),
  }
}
