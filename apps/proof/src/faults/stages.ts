/** The stage of one worker: cells of a kind share it one after the other, for as long as nothing on it went wrong. */
import type { Clock } from '@mission-control/shared/clock'
import { inspectDatabase } from '../stage/database.ts'
import type { Stage } from '../stage/stage.ts'
import { startStage } from '../stage/stage.ts'
import type { StageKind } from './faults.ts'
import { AGENTS } from './round.ts'
import { warmUp } from './warm-up.ts'

export interface StageHolder extends AsyncDisposable {
  /** Starts one, in which every agent has answered once, where there is none of this kind. The one before is closed, and its database judged. */
  get(kind: StageKind): Promise<Stage>
  /** What stands on it is not fit for another round. */
  discard(): Promise<void>
  /** Judges the database of the stage that is there, if any, and closes it. */
  finish(): Promise<void>
}

export interface StageHolderOptions {
  readonly clock: Clock
  readonly scale: number
  /** The program of the runtime. */
  readonly runtime: string
  readonly openclawBin?: string
  /** Ends every process at once. */
  readonly signal: AbortSignal
  /** Hears what stands in a database and must not. */
  readonly onBroken: (what: string) => void
}

/** The backend's disk in the small stage: its data needs a tenth of it. */
const DISK_MIB = 32
/** A first turn takes a second; that of a real gateway on a busy machine a minute. */
const WARM_UP_MS = 300_000

export function createStageHolder({ onBroken, ...options }: StageHolderOptions): StageHolder {
  let held: { kind: StageKind; stage: Stage } | null = null

  async function discard(): Promise<void> {
    const last = held
    held = null
    await last?.stage[Symbol.asyncDispose]()
  }

  async function finish(): Promise<void> {
    if (held === null || options.signal.aborted) return discard()
    const { stage, kind } = held
    const at = `the database of a stage (${kind}) after its last round`
    try {
      await stage.person.audit()
      const { violations } = await inspectDatabase(stage.readableDataDir())
      for (const what of violations) onBroken(`${at}: ${what}`)
    } catch (error) {
      onBroken(`${at} could not be judged: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      await discard()
    }
  }

  return {
    async get(kind) {
      if (held?.kind === kind) return held.stage
      await finish()
      const extra = { plain: {}, standby: { standby: true }, 'small disk': { diskMiB: DISK_MIB } }[kind]
      const stage = await startStage({ ...options, agents: AGENTS, ...extra })
      held = { kind, stage }
      try {
        await warmUp(stage, AbortSignal.any([options.signal, options.clock.timeout(WARM_UP_MS)]))
      } catch (error) {
        await discard()
        throw error
      }
      return stage
    },
    discard,
    finish,
    [Symbol.asyncDispose]: discard,
  }
}
