/** Frames to one client. A client that does not read is cut off before its backlog fills the memory. */
import type { WebSocket } from 'ws'
import type { JsonObject } from '../values/json.ts'

const MAX_BACKLOG_BYTES = 64 * 1024 * 1024 // four results at their cap

export function createOutbox(ws: WebSocket) {
  return {
    send(message: JsonObject): void {
      if (ws.readyState !== ws.OPEN) return
      if (ws.bufferedAmount > MAX_BACKLOG_BYTES) return ws.terminate()
      ws.send(JSON.stringify(message))
    },
  }
}
