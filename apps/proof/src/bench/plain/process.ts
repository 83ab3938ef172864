/** Starts the plain client in a process of its own. */
import { fileURLToPath } from 'node:url'
import { startChild } from '../stage/child.ts'
import type { PlainOptions } from './plain.ts'

export type FromPlain = { readonly type: 'ready' } | { readonly type: 'delivered'; readonly id: string }

export interface PlainProcess extends AsyncDisposable {
  readonly pid: number
  /** How many it has marked. */
  delivered(): number
  /** Resolves when it has marked so many. */
  untilDelivered(count: number): Promise<void>
}

/** Resolves when its first poll goes out. */
export async function startPlain(options: PlainOptions): Promise<PlainProcess> {
  const program = fileURLToPath(new URL('./plain-main.ts', import.meta.url))
  const child = startChild<never, FromPlain>(program, { BENCH_PLAIN: JSON.stringify(options) })
  let delivered = 0
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>()
  child.onMessage(({ type }) => {
    if (type !== 'delivered') return
    delivered += 1
    for (const one of waiting) {
      if (delivered < one.count) continue
      waiting.delete(one)
      one.resolve()
    }
  })
  await child.next((message) => message.type === 'ready')
  return {
    pid: child.pid,
    delivered: () => delivered,
    untilDelivered(count) {
      if (delivered >= count) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add({ count, resolve })
      return child.orGone(promise)
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
