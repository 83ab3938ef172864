/**
 * Frames to one client. A slow client is not sent every state: what brings it up to date waits until it has read most of what it
 * was sent, and by then covers everything since. Answers cannot wait like that, so one that does not read them is cut off.
 */
import type { WebSocket } from 'ws'
import type { JsonObject } from '../values/json.ts'

const MAX_BACKLOG_BYTES = 64 * 1024 * 1024 // four results at their cap
const READY_BELOW_BYTES = 64 * 1024 // beyond what the kernel took: a client that keeps up is always below

export function createOutbox(ws: WebSocket) {
  let waiting: (() => void) | null = null
  const open = () => ws.readyState === ws.OPEN
  function settle(): void {
    if (open() && ws.bufferedAmount >= READY_BELOW_BYTES) return
    waiting?.()
    waiting = null
  }
  ws.once('close', settle)

  return {
    send(message: JsonObject): void {
      if (!open()) return
      if (ws.bufferedAmount > MAX_BACKLOG_BYTES) return ws.terminate()
      ws.send(JSON.stringify(message), settle)
    },
    /** Resolves when the client has taken nearly all it was sent, or is gone. For one waiter at a time. */
    ready(): Promise<void> {
      if (!open() || ws.bufferedAmount < READY_BELOW_BYTES) return Promise.resolve()
      return new Promise((resolve) => (waiting = resolve))
    },
  }
}
