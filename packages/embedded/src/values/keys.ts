/**
 * Index keys: bytes whose memcmp order equals the order of Convex values, so that SQLite's BLOB order is the index order.
 * Every encoded value is self-delimiting; a tuple is the concatenation of its parts. Order of types:
 * undefined < null < bigint < number < boolean < string < bytes < array < object.
 */
import { bigintOf, bytesOf, isUndefinedMarker, numberOf, typeOf, type Json, type JsonObject } from './json.ts'

const TAG = {
  end: 0x00,
  undefined: 0x01,
  null: 0x03,
  zeroInteger: 0x08, // 04..07 are negatives of 8, 4, 2 and 1 bytes; 09..0C positives of 1, 2, 4 and 8 bytes
  float: 0x0d,
  false: 0x0e,
  true: 0x0f,
  string: 0x10,
  bytes: 0x11,
  array: 0x12,
  object: 0x15,
} as const

/** Every key sorts below this: no tag starts with FF. */
export const AFTER_ALL_KEYS: Buffer = Buffer.from([0xff])
export const BEFORE_ALL_KEYS: Buffer = Buffer.alloc(0)

export function encodeKey(values: readonly (Json | undefined)[]): Buffer {
  const writer = createKeyWriter()
  for (const value of values) encodeInto(writer, value)
  return writer.end()
}

/**
 * Parts the keys of tuples that begin with the values of `prefix` from the keys of all greater ones. What follows a complete value
 * is a tag or nothing; FF after its last 00 means instead that its text goes on with a NUL: "a\0" begins with the bytes of "a",
 * and is greater.
 */
export function afterPrefix(prefix: Buffer): Buffer {
  return followedBy(prefix, 0xfe)
}

/** The smallest key above `key` itself. */
export function justAfter(key: Buffer): Buffer {
  return followedBy(key, 0)
}

function followedBy(key: Buffer, byte: number): Buffer {
  const out = Buffer.allocUnsafe(key.length + 1)
  out.set(key)
  out[key.length] = byte
  return out
}

type KeyWriter = ReturnType<typeof createKeyWriter>

const FIRST_ROOM = 160 // bytes: most keys are a few ids, numbers and short names

/** One buffer that grows: a key is built for every index of every document that is written. */
function createKeyWriter() {
  let out = Buffer.allocUnsafe(FIRST_ROOM)
  let length = 0
  function reserve(bytes: number): void {
    if (length + bytes <= out.length) return
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, length + bytes))
    out.copy(larger, 0, 0, length)
    out = larger
  }
  return {
    byte(value: number): void {
      reserve(1)
      out[length++] = value
    },
    bytes(value: Uint8Array): void {
      reserve(value.length)
      out.set(value, length)
      length += value.length
    },
    double(value: number): void {
      reserve(8)
      out.writeDoubleBE(value, length)
      // Negative numbers sort the other way round, and before the others.
      if (out[length]! & 0x80) for (let at = length; at < length + 8; at++) out[at] = ~out[at]! & 0xff
      else out[length] = out[length]! | 0x80
      length += 8
    },
    /** Plain text, which is all of most keys; false, and nothing written, when it holds more than ASCII or a NUL. */
    ascii(text: string): boolean {
      reserve(text.length)
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at)
        if (code === 0 || code > 0x7f) return false
        out[length + at] = code
      }
      length += text.length
      return true
    },
    end: (): Buffer => out.subarray(0, length),
  }
}

function encodeInto(out: KeyWriter, value: Json | undefined): void {
  if (value === undefined || isUndefinedMarker(value)) return out.byte(TAG.undefined)
  switch (typeOf(value)) {
    case 'null':
      return out.byte(TAG.null)
    case 'bigint':
      return out.bytes(encodeInteger(bigintOf(value)))
    case 'number':
      out.byte(TAG.float)
      return out.double(numberOf(value))
    case 'boolean':
      return out.byte(value ? TAG.true : TAG.false)
    case 'string':
      out.byte(TAG.string)
      return encodeText(out, value as string)
    case 'bytes':
      out.byte(TAG.bytes)
      return out.bytes(terminated(bytesOf(value)))
    case 'array':
      out.byte(TAG.array)
      for (const element of value as Json[]) encodeInto(out, element)
      return out.byte(TAG.end)
    case 'object':
      out.byte(TAG.object)
      for (const field of Object.keys(value as JsonObject).sort()) {
        // An empty name alone is just the terminator, which would read as the end of the object: mark it.
        if (field === '') out.bytes(Buffer.from([0x00, 0xff]))
        else encodeText(out, field)
        encodeInto(out, (value as JsonObject)[field])
      }
      return out.byte(TAG.end)
  }
}

function encodeText(out: KeyWriter, text: string): void {
  if (out.ascii(text)) out.byte(TAG.end)
  else out.bytes(terminated(utf8(text)))
}

function encodeInteger(value: bigint): Buffer {
  if (value === 0n) return Buffer.from([TAG.zeroInteger])
  const magnitude = value < 0n ? -value - 1n : value
  const width = magnitude < 1n << 7n ? 1 : magnitude < 1n << 15n ? 2 : magnitude < 1n << 31n ? 4 : 8
  const rank = { 1: 1, 2: 2, 4: 3, 8: 4 }[width]
  const out = Buffer.alloc(9)
  out.writeBigInt64BE(value, 1)
  const body = out.subarray(9 - width)
  return Buffer.concat([Buffer.from([TAG.zeroInteger + (value < 0n ? -rank : rank)]), body])
}

/** Content with 00 escaped as 00 FF, ended by 00: a prefix sorts before its extensions. */
function terminated(content: Buffer): Buffer {
  if (!content.includes(0)) return Buffer.concat([content, Buffer.from([0])])
  const out: number[] = []
  for (const byte of content) {
    out.push(byte)
    if (byte === 0) out.push(0xff)
  }
  out.push(0)
  return Buffer.from(out)
}

/** UTF-8; a lone surrogate keeps its own code point (three bytes) instead of collapsing to U+FFFD, which would merge keys. */
function utf8(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  for (const char of text) {
    const code = char.codePointAt(0)!
    parts.push(
      code >= 0xd800 && code <= 0xdfff
        ? Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
        : Buffer.from(char, 'utf8'),
    )
  }
  return Buffer.concat(parts)
}
