/** A live query inside the process: no socket, no JSON frames. */
import { ConvexError, jsonToConvex } from 'convex/values'
import type { Engine } from '../engine.ts'
import { ClosedError } from '../errors.ts'
import type { Json, JsonObject } from '../values/json.ts'

export type Unsubscribe = () => void

export function subscribe(
  engine: Pick<Engine, 'live' | 'log'>,
  query: { path: string; args: Json; identity: JsonObject | null },
  handlers: { onResult(value: Json): void; onError(error: Error): void },
): Unsubscribe {
  let advancing = false
  let closed = false
  const set = engine.live.open({ onDirty: () => void advance() })
  set.setIdentity({ identity: query.identity, internal: true })
  set.add(0, { path: query.path, args: query.args, journal: null })

  async function advance(): Promise<void> {
    if (advancing) return
    advancing = true
    try {
      while (!closed && set.hasDirty()) {
        for (const { result } of (await set.advance()).changes) {
          if (closed) return
          if (result.ok) handlers.onResult(result.value)
          else if (result.data !== undefined) handlers.onError(new ConvexError(jsonToConvex(result.data)))
          else handlers.onError(new Error(result.message.replace(/^Uncaught Error: /, '')))
        }
      }
    } catch (error) {
      // A backend that closes ends its subscriptions; that is no news to whoever closed it.
      if (!closed && !(error instanceof ClosedError)) handlers.onError(error instanceof Error ? error : new Error(String(error)))
    } finally {
      advancing = false
    }
  }
  void advance()

  return () => {
    closed = true
    set.close()
  }
}
