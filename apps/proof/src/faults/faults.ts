/** What goes wrong: how each fault is brought about, how long it lasts, and how it ends. Real signals, a real network, a real full disk. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { LEASE_BUSY_MS } from '@mission-control/shared/lanes/policy'
import type { Seen } from '../stage/proxy.ts'
import type { RuntimeSide, Stage } from '../stage/stage.ts'

export interface FaultContext {
  readonly stage: Stage
  /** The runtime that was active when the round began. */
  readonly side: RuntimeSide
  /** Writes into the backend until it refuses; what it acknowledged is judged with the rest. */
  readonly fillUntilRefused: () => Promise<void>
  readonly signal: AbortSignal
}

export type StageKind = 'plain' | 'standby' | 'small disk'

/** What recovery must keep to, ms of real time; `null`: reported only. */
export type Bar = { readonly median: number } | null

export interface Fault {
  readonly name: string
  readonly needs: StageKind
  /** The model may go on thinking until the fault is over. */
  readonly mayOutlast: boolean
  /** It is there when this resolves. The held message goes on after that. */
  readonly inject: (context: FaultContext) => Promise<void>
  /** Lasts until this resolves. */
  readonly last: (context: FaultContext) => Promise<void>
  /** Ends it. @returns from when on recovery is counted, monotonic ms */
  readonly heal: (context: FaultContext) => Promise<number>
  /** After everything has settled. */
  readonly tidy?: (context: FaultContext) => Promise<void>
  readonly bar: (scale: number) => Bar
}

/** A start, until the reply of the message it met is in the thread. */
const START_MS = 5_000
const RESTART_BAR = (): Bar => ({ median: START_MS })
const GATEWAY_BAR = (): Bar => ({ median: 15_000 })
const NO_BAR = (): Bar => null
const nothing = async () => undefined
/** A pause "longer than the lease": by this much, ms. */
const LONGER_MS = 1_000
/** At scale 1: each message needs this long in each direction, at this rate. Below what a call may take (5 s), or it is a cut. */
const SLOW = { delayMs: 1_000, bytesPerSecond: 32_000, lastsMs: 30_000 }

const outlastLease = ({ stage: { clock, scale }, signal }: FaultContext) =>
  clock.sleep((LEASE_BUSY_MS + LONGER_MS) / scale, signal)

/** A program stands still, and goes on as if nothing had been. */
function paused(name: string, victim: (context: FaultContext) => { pause(): void; resume(): void }, bar: Fault['bar']): Fault {
  return {
    name,
    needs: 'plain',
    mayOutlast: true,
    bar,
    inject: async (context) => victim(context).pause(),
    last: outlastLease,
    async heal(context) {
      victim(context).resume()
      return context.stage.clock.monotonic()
    },
  }
}

function swallowed(name: string, link: (context: FaultContext) => RuntimeSide['toBackend'], bar: Fault['bar']): Fault {
  return {
    name,
    needs: 'plain',
    mayOutlast: true,
    bar,
    inject: async (context) => link(context).swallow(),
    last: outlastLease,
    async heal(context) {
      link(context).heal()
      return context.stage.clock.monotonic()
    },
  }
}

/** Counted from the start of the new process, which is part of what one waits for. */
async function startAgain({ stage: { clock } }: FaultContext, program: { start(): Promise<unknown> }): Promise<number> {
  const from = clock.monotonic()
  await program.start()
  return from
}

/** Counted from when it is ready: how long an OpenClaw takes to start is its own affair. */
async function gatewayAgain({ stage: { clock, gateway } }: FaultContext): Promise<number> {
  await gateway.start()
  return clock.monotonic()
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'runtime killed',
    needs: 'plain',
    mayOutlast: true,
    bar: RESTART_BAR,
    inject: ({ side }) => side.program.kill(),
    last: nothing,
    heal: (context) => startAgain(context, context.side.program),
  },
  {
    name: 'runtime restarted',
    needs: 'plain',
    mayOutlast: false,
    bar: RESTART_BAR,
    inject: async ({ side }) => void side.program.kill('SIGTERM'),
    last: ({ side }) => side.program.kill('SIGTERM'),
    heal: (context) => startAgain(context, context.side.program),
  },
  paused('runtime paused', ({ side }) => side.program, NO_BAR),
  {
    name: 'runtime gone and taken over',
    needs: 'standby',
    mayOutlast: true,
    inject: ({ side }) => side.program.kill(),
    last: nothing,
    heal: async ({ stage }) => stage.clock.monotonic(),
    tidy: async ({ side }) => void (await side.program.start()),
    // The lease was renewed the moment before, when the message was claimed; then another one starts to work.
    bar: (scale) => ({ median: LEASE_BUSY_MS / scale + START_MS }),
  },
  {
    name: 'runtime paused and taken over',
    needs: 'standby',
    mayOutlast: true,
    bar: NO_BAR,
    inject: async ({ side }) => side.program.pause(),
    last: ({ stage, side, signal }) => stage.takenOverFrom(side, signal),
    async heal({ stage, side }) {
      side.program.resume()
      return stage.clock.monotonic()
    },
  },
  {
    name: 'backend killed',
    needs: 'plain',
    mayOutlast: true,
    bar: RESTART_BAR,
    inject: ({ stage }) => stage.backend.kill(),
    last: nothing,
    heal: (context) => startAgain(context, context.stage.backend),
  },
  paused('backend paused', ({ stage }) => stage.backend, NO_BAR),
  {
    name: "backend's disk full",
    needs: 'small disk',
    mayOutlast: true,
    bar: NO_BAR,
    async inject({ stage, fillUntilRefused }) {
      fill(ballastIn(stage))
      await fillUntilRefused()
    },
    last: ({ side, signal }) => refusedOn(side, signal),
    async heal({ stage }) {
      rmSync(ballastIn(stage))
      return stage.clock.monotonic()
    },
  },
  {
    name: 'gateway killed',
    needs: 'plain',
    mayOutlast: true,
    bar: GATEWAY_BAR,
    inject: ({ stage }) => stage.gateway.kill(),
    last: nothing,
    heal: gatewayAgain,
  },
  {
    name: 'gateway restarted',
    needs: 'plain',
    mayOutlast: false,
    bar: GATEWAY_BAR,
    inject: async ({ stage }) => void stage.gateway.kill('SIGTERM'),
    last: ({ stage }) => stage.gateway.kill('SIGTERM'), // a second one is ignored; this waits for its end
    heal: gatewayAgain,
  },
  paused('gateway paused', ({ stage }) => stage.gateway, GATEWAY_BAR),
  swallowed('backend unreachable', ({ side }) => side.toBackend, NO_BAR),
  swallowed('gateway unreachable', ({ side }) => side.toGateway, GATEWAY_BAR),
  {
    name: 'network slow',
    needs: 'plain',
    mayOutlast: true,
    bar: NO_BAR,
    async inject({ stage: { scale }, side }) {
      const slowness = { delayMs: SLOW.delayMs / scale, bytesPerSecond: SLOW.bytesPerSecond * scale }
      for (const link of [side.toBackend, side.toGateway]) link.slow(slowness)
    },
    last: ({ stage: { clock, scale }, signal }) => clock.sleep(SLOW.lastsMs / scale, signal),
    async heal({ stage, side }) {
      for (const link of [side.toBackend, side.toGateway]) link.heal()
      return stage.clock.monotonic()
    },
  },
]

const ballastIn = (stage: Stage) => path.join(stage.diskPath(), 'ballast')

/** Takes every byte that the file system has left. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w')
  try {
    for (const bytes of [1_048_576, 4_096, 1]) {
      const chunk = Buffer.alloc(bytes)
      while (wrote(descriptor, chunk));
    }
  } finally {
    closeSync(descriptor)
  }
}

function wrote(descriptor: number, chunk: Buffer): boolean {
  try {
    return writeSync(descriptor, chunk) === chunk.length
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}

/** Resolves when the backend has refused something that the runtime wanted to write. */
async function refusedOn({ toBackend }: RuntimeSide, signal: AbortSignal): Promise<void> {
  const refused = Promise.withResolvers<void>()
  const stop = toBackend.watch((seen: Seen) => {
    const isWrite = seen.kind === 'answer' && seen.path?.startsWith('service/') === true
    if (isWrite && (seen.status >= 400 || seen.text.startsWith('{"status":"error"'))) refused.resolve()
  })
  const abort = () => refused.reject(new Error('the backend refused nothing that the runtime wrote'))
  signal.addEventListener('abort', abort, { once: true })
  await refused.promise.finally(() => {
    stop()
    signal.removeEventListener('abort', abort)
  })
}
