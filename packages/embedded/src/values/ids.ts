/**
 * Document ids: Crockford base32 of varint(table number), 16 random bytes and a checksum. 32 characters for user tables.
 * The number names the table, so `v.id("tasks")` is checked without a lookup. Only the canonical spelling is accepted.
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
/** By character code; -1: no such letter. */
const VALUE_OF: readonly number[] = Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)))
/** Numbers up to this are for system tables; user tables count up from here and are never reused. */
export const LAST_SYSTEM_TABLE_NUMBER = 10_000
const RANDOM_BYTES = 16
const CHECKSUM_BYTES = 2
const LONGEST_VARINT = 5 // bytes of a 32-bit number
const MIN_LENGTH = 31
const MAX_LENGTH = 37

export function encodeId(tableNumber: number, randomness: Uint8Array): string {
  const body = Buffer.concat([varint(tableNumber), randomness])
  const check = checksum(body)
  return base32(Buffer.concat([body, Buffer.from([check & 0xff, check >> 8])]))
}

/** The table number inside an id, or null when the text is no id. */
export function tableNumberOf(id: string): number | null {
  const decoded = decodeId(id)
  return 'table' in decoded ? decoded.table : null
}

/** The table number inside an id, or why the text is none, in Convex's words. */
export function decodeId(id: string): { table: number } | { problem: string } {
  const invalid = (what: string) => ({ problem: `Unable to decode ID: ${what}` })
  const badLength = () => invalid(`Invalid ID length ${Buffer.byteLength(id)}`)
  const length = Buffer.byteLength(id)
  if (length < MIN_LENGTH || length > MAX_LENGTH) return badLength()
  const bytes = fromBase32(id)
  if (!bytes) return invalid("ID wasn't valid base32")
  let table = 0
  let at = 0
  for (; ; at++) {
    const byte = bytes[at]
    if (byte === undefined || at >= LONGEST_VARINT) return invalid('Invalid table number')
    table = (table | ((byte & 0x7f) << (7 * at))) >>> 0
    if (byte < 0x80) break
  }
  if (table === 0) return invalid('Invalid table number')
  const end = at + 1 + RANDOM_BYTES
  if (bytes.length < end + CHECKSUM_BYTES) return badLength()
  const [expected, found] = [checksum(bytes.subarray(0, end)), bytes.readUInt16LE(end)]
  if (expected !== found) return invalid(`Invalid ID version ${found} (expected ${expected})`)
  // One id has one spelling only: spare bits and bytes must not make another text of it.
  const plain = bytes.length === end + CHECKSUM_BYTES && id.length === lettersOf(bytes.length) && spareBits(id) === 0
  return plain && varint(table).equals(bytes.subarray(0, at + 1)) ? { table } : badLength()
}

function varint(value: number): Buffer {
  const out: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 128)) out.push((value % 128) | 0x80)
  out.push(value)
  return Buffer.from(out)
}

/** Fletcher-16 with both sums modulo 256. */
function checksum(bytes: Uint8Array): number {
  let low = 0
  let high = 0
  for (const byte of bytes) {
    low = (low + byte) & 0xff
    high = (high + low) & 0xff
  }
  return (high << 8) | low
}

function base32(bytes: Uint8Array): string {
  let out = ''
  let bits = 0
  let pending = 0
  for (const byte of bytes) {
    pending = (pending << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += ALPHABET[(pending >> bits) & 31]
    }
    pending &= (1 << bits) - 1
  }
  return bits > 0 ? out + ALPHABET[(pending << (5 - bits)) & 31] : out
}

/** Letters that so many bytes are written with. */
const lettersOf = (bytes: number): number => Math.ceil((bytes * 8) / 5)

/** The bits of the last letter that stand for no byte. */
function spareBits(text: string): number {
  const spare = (text.length * 5) % 8
  return (VALUE_OF[text.charCodeAt(text.length - 1)] ?? 0) & ((1 << spare) - 1)
}

function fromBase32(text: string): Buffer | null {
  const out = Buffer.allocUnsafe(Math.floor((text.length * 5) / 8))
  let length = 0
  let bits = 0
  let pending = 0
  for (let at = 0; at < text.length; at++) {
    const value = VALUE_OF[text.charCodeAt(at)] ?? -1
    if (value < 0) return null
    pending = (pending << 5) | value
    bits += 5
    if (bits >= 8) {
      bits -= 8
      out[length++] = (pending >> bits) & 0xff
      pending &= (1 << bits) - 1
    }
  }
  return out
}
