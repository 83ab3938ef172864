/**
 * Named gates hold a scripted turn in the middle of its model call until a test lets it go: signals instead of sleeps.
 * A gate that nobody asked for is created on first use from either side, so the order of test and model does not matter.
 */
import { untilAborted } from '@mission-control/host/until-aborted'

export interface Gate {
  /** Resolves when a model call has arrived at the gate. */
  readonly entered: Promise<void>
  /** Lets everybody at the gate and everybody to come through. */
  release(): void
}

export interface Gates {
  gate(name: string): Gate
  /** Called by the model: waits until the gate is open or the signal aborts. */
  pass(name: string, signal: AbortSignal): Promise<void>
  releaseAll(): void
}

interface GateState {
  readonly entered: PromiseWithResolvers<void>
  readonly open: PromiseWithResolvers<void>
}

export function createGates(): Gates {
  const states = new Map<string, GateState>()
  const state = (name: string): GateState => {
    const known = states.get(name)
    if (known !== undefined) return known
    const fresh = { entered: Promise.withResolvers<void>(), open: Promise.withResolvers<void>() }
    states.set(name, fresh)
    return fresh
  }
  return {
    gate: (name) => ({ entered: state(name).entered.promise, release: () => state(name).open.resolve() }),
    async pass(name, signal) {
      const { entered, open } = state(name)
      entered.resolve()
      await untilAborted(open.promise, signal)
    },
    releaseAll: () => [...states.values()].forEach(({ open }) => open.resolve()),
  }
}
