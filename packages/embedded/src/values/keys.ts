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
  const parts: Buffer[] = []
  for (const value of values) encodeInto(parts, value)
  return Buffer.concat(parts)
}

/**
 * Parts the keys of tuples that begin with the values of `prefix` from the keys of all greater ones. What follows a complete value
 * is a tag or nothing; FF after its last 00 means instead that its text goes on with a NUL: "a\0" begins with the bytes of "a",
 * and is greater.
 */
export function afterPrefix(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xfe])])
}

/** The smallest key above `key` itself. */
export function justAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])])
}

function encodeInto(parts: Buffer[], value: Json | undefined): void {
  if (value === undefined || isUndefinedMarker(value)) return void parts.push(Buffer.from([TAG.undefined]))
  switch (typeOf(value)) {
    case 'null':
      return void parts.push(Buffer.from([TAG.null]))
    case 'bigint':
      return void parts.push(encodeInteger(bigintOf(value)))
    case 'number':
      return void parts.push(encodeFloat(numberOf(value)))
    case 'boolean':
      return void parts.push(Buffer.from([value ? TAG.true : TAG.false]))
    case 'string':
      return void parts.push(Buffer.from([TAG.string]), terminated(utf8(value as string)))
    case 'bytes':
      return void parts.push(Buffer.from([TAG.bytes]), terminated(bytesOf(value)))
    case 'array':
      parts.push(Buffer.from([TAG.array]))
      for (const element of value as Json[]) encodeInto(parts, element)
      return void parts.push(Buffer.from([TAG.end]))
    case 'object':
      parts.push(Buffer.from([TAG.object]))
      for (const field of Object.keys(value as JsonObject).sort()) {
        // An empty name alone is just the terminator, which would read as the end of the object: mark it.
        parts.push(field === '' ? Buffer.from([0x00, 0xff]) : terminated(utf8(field)))
        encodeInto(parts, (value as JsonObject)[field])
      }
      return void parts.push(Buffer.from([TAG.end]))
  }
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

function encodeFloat(value: number): Buffer {
  const out = Buffer.alloc(9)
  out[0] = TAG.float
  out.writeDoubleBE(value, 1)
  if (out[1]! & 0x80) for (let i = 1; i < 9; i++) out[i] = ~out[i]! & 0xff
  else out[1] = out[1]! | 0x80
  return out
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
