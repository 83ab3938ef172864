/**
 * How bad it is for one seed: drawn once, so that some seeds have one kind of trouble only and others all of it. Specialists bring
 * about what chance alone would meet once in hundreds of seeds: a model that fails until the attempts are used up, a chain of agents
 * that ask each other, a machine that is gone the moment an answer stands in the transcript.
 */
import type { Seeded } from './seeded.ts'

/**
 * What has just happened, and nobody else knows of yet: `claimed` a claim has committed, `taken` the gateway has accepted a turn, `tool`
 * a tool call has committed, `answered` the model's last word is written, `ended` the end of a claim has committed.
 */
export const MOMENTS = ['claimed', 'taken', 'tool', 'answered', 'ended'] as const
export type Moment = (typeof MOMENTS)[number]

export interface Weather {
  /** Probabilities for each message between two parts. */
  readonly loseRequest: number
  readonly loseAnswer: number
  /** The same for answers to claims, tool calls and ends of claims alone. */
  readonly loseEffect: number
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
  /** Probability that something goes wrong at a moment, by moment. */
  readonly aimed: Readonly<Partial<Record<Moment, number>>>
  /** People write and give out work, and seldom take it away: what is under way is let run. */
  readonly gentle: boolean
  /** How often people meddle with what an agent is at work on, or is about to try again. */
  readonly meddle: number
  /** Probabilities of a model's turn. */
  readonly modelFails: number
  readonly modelIsSlow: number
  readonly modelUsesTools: number
  /** Agents ask each other whenever they can: chains grow long. */
  readonly chatty: boolean
  /** The model stays as it is in the calm: chains go on to their end, failing turns until nobody tries again. */
  readonly stubborn: boolean
}

export interface Setting {
  readonly kind: Kind
  readonly weather: Weather
  readonly runtimes: 1 | 2
  /** Both runtimes use one gateway that is nobody's child; otherwise each has its own. */
  readonly sharedGateway: boolean
}

const FAIR: Weather = {
  ...{ loseRequest: 0, loseAnswer: 0, loseEffect: 0, repeat: 0, late: 0, breakLink: 0, faults: 0, delay: 0.05, aimed: {} },
  ...{
    deeds: 0.06,
    gentle: true,
    meddle: 0.3,
    modelFails: 0,
    modelIsSlow: 0,
    modelUsesTools: 0.3,
    chatty: false,
    stubborn: false,
  },
}

/** Everything is repaired and nobody meddles. */
export const calmAfter = ({ stubborn, chatty, modelFails, modelUsesTools }: Weather): Weather => ({
  ...{ ...FAIR, deeds: 0, delay: 0 },
  ...(stubborn ? { chatty, modelFails, modelUsesTools } : { modelUsesTools: 0 }),
})

/** How often each kind of seed is drawn. */
const KINDS = { everything: 5, failing: 2, chains: 2, tools: 2, powerCuts: 2, lostAnswers: 2, takeOvers: 2, crowd: 2 } as const
export type Kind = keyof typeof KINDS

export function drawSetting(random: Seeded): Setting {
  const kind = random.weighted(KINDS)
  return {
    kind,
    weather: drawWeather(kind, random),
    runtimes: kind === 'takeOvers' || random.chance(0.4) ? 2 : 1,
    sharedGateway: random.chance(0.4),
  }
}

function drawWeather(kind: Kind, random: Seeded): Weather {
  const between = (least: number, most: number) => least + (most - least) * random.next()
  switch (kind) {
    case 'everything':
      return drawAll(random)
    case 'failing':
      // What people do meets its backoff: they write, or pause the agent, between a failure and the next attempt.
      return {
        ...FAIR,
        modelFails: between(0.6, 0.97),
        stubborn: true,
        meddle: 0.6,
        repeat: 0.1,
        faults: random.chance(0.5) ? 0 : 0.01,
      }
    case 'chains':
      return { ...FAIR, chatty: true, stubborn: true, modelUsesTools: 1, deeds: 0.03, loseAnswer: random.chance(0.5) ? 0 : 0.02 }
    case 'tools':
      return {
        ...{ ...FAIR, modelUsesTools: 0.95, modelFails: between(0.2, 0.6), repeat: 0.1, late: 0.03 },
        ...{ loseEffect: between(0, 0.3), aimed: { tool: between(0.1, 0.3), answered: 0.1 } },
      }
    case 'powerCuts':
      return {
        ...{ ...FAIR, loseAnswer: 0.02, modelFails: between(0, 0.2) },
        aimed: { [random.pick(MOMENTS)]: between(0.1, 0.3), answered: between(0.2, 0.4) },
      }
    case 'lostAnswers':
      return { ...FAIR, loseEffect: between(0.2, 0.6), repeat: between(0.1, 0.4), late: 0.05, modelFails: 0.2 }
    case 'takeOvers':
      return { ...FAIR, faults: 0.03, late: 0.05, repeat: 0.1, aimed: { claimed: 0.1, taken: 0.1, answered: 0.1, ended: 0.05 } }
    case 'crowd':
      return {
        ...{ ...FAIR, deeds: between(0.2, 0.5), gentle: false, meddle: 0.4, faults: 0.01 },
        ...{ modelFails: between(0, 0.3), modelIsSlow: between(0, 0.3) },
      }
  }
}

function drawAll(random: Seeded): Weather {
  const some = (most: number): number => (random.chance(0.35) ? 0 : random.spread(most / 8, most))
  return {
    ...{ loseRequest: some(0.2), loseAnswer: some(0.2), loseEffect: some(0.2), repeat: some(0.3), late: some(0.1) },
    breakLink: some(0.08),
    deeds: random.spread(0.08, 0.3),
    gentle: random.chance(0.3),
    faults: random.chance(0.2) ? 0 : random.spread(0.01, 0.12),
    delay: random.spread(0.02, 0.3),
    aimed: Object.fromEntries(MOMENTS.map((moment) => [moment, some(0.15)])),
    meddle: random.spread(0.1, 0.6),
    ...{ modelFails: some(0.4), modelIsSlow: some(0.4), modelUsesTools: some(0.5), chatty: random.chance(0.1), stubborn: false },
  }
}
