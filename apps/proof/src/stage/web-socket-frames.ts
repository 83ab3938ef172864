/**
 * Reads the frames of a WebSocket as they pass, without ending the connection: what goes on is byte for byte what came in, so that a
 * proxy can hold, delay or swallow it as a network would. Text frames are shown with their text; compression must not be agreed on.
 */
export interface Frame {
  /** As it stood on the wire. */
  readonly bytes: Buffer
  /** Of a whole text message; `null` for everything else. */
  readonly text: string | null
}

const OPCODE_TEXT = 1
const FIN = 0x80
const MASKED = 0x80

/** Takes bytes in any portions and gives back the frames that are complete by then. */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
  let pending: Buffer = Buffer.alloc(0)
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const frames: Frame[] = []
    for (let frame = firstFrame(pending); frame !== null; frame = firstFrame(pending)) {
      frames.push(frame)
      pending = pending.subarray(frame.bytes.length)
    }
    return frames
  }
}

function firstFrame(buffer: Buffer): Frame | null {
  if (buffer.length < 2) return null
  const [first = 0, second = 0] = buffer
  const short = second & 0x7f
  const masked = (second & MASKED) !== 0
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
  const header = 2 + lengthBytes + (masked ? 4 : 0)
  if (buffer.length < header) return null
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2))
  if (buffer.length < header + length) return null
  const bytes = buffer.subarray(0, header + length)
  if ((first & FIN) === 0 || (first & 0x0f) !== OPCODE_TEXT) return { bytes, text: null }
  const payload = Buffer.from(bytes.subarray(header))
  const mask = bytes.subarray(header - 4, header)
  if (masked) for (let at = 0; at < payload.length; at += 1) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0)
  return { bytes, text: payload.toString('utf8') }
}
