/** Values as the text Convex puts into its error messages. */
import { bigintOf, isUndefinedMarker, numberOf, typeOf, type Json, type JsonObject } from './json.ts'

const PLAIN_BELOW = 1e16 // from here on, and below the next, numbers are written with an exponent
const PLAIN_FROM = 1e-5

/** Fields in order of their names; whole numbers with ".0"; integers bare; an absent value is `undefined`. */
export function displayValue(value: Json | undefined): string {
  if (value === undefined || isUndefinedMarker(value)) return 'undefined'
  switch (typeOf(value)) {
    case 'bigint':
      return String(bigintOf(value))
    case 'number':
      return displayNumber(numberOf(value))
    case 'string':
      return displayString(value as string)
    case 'bytes':
      return `b"${(value as { $bytes: string }).$bytes}"`
    case 'array':
      return `[${(value as Json[]).map(displayValue).join(', ')}]`
    case 'object':
      return `{${sortedEntries(value as JsonObject)
        .map(([field, child]) => `${field}: ${displayValue(child)}`)
        .join(', ')}}`
    default:
      return JSON.stringify(value)
  }
}

/** The name of a value's type in Convex's messages. */
export function typeName(value: Json | undefined): string {
  if (value === undefined) return 'undefined'
  const names = { null: 'Null', bigint: 'Int64', number: 'Float64', boolean: 'Boolean', string: 'String' } as const
  const others = { bytes: 'Bytes', array: 'Array', object: 'Object' } as const
  return { ...names, ...others }[typeOf(value)]
}

export function displayNumber(number: number): string {
  if (Number.isNaN(number)) return 'NaN'
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf'
  if (Object.is(number, -0)) return '-0.0'
  const size = Math.abs(number)
  if (size !== 0 && (size >= PLAIN_BELOW || size < PLAIN_FROM)) return number.toExponential().replace('e+', 'e')
  // Below 1e-6 JavaScript itself writes an exponent; PLAIN_FROM is above that.
  return Number.isInteger(number) ? `${number}.0` : String(number)
}

/** Entries in the order of Convex's objects: by name. */
export function sortedEntries<T>(object: Record<string, T>): [string, T][] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' }

function displayString(text: string): string {
  const escaped = text.replace(
    /["\\\u0000-\u001f\u007f-\u009f]/g,
    (char) => ESCAPES[char] ?? `\\u{${char.charCodeAt(0).toString(16)}}`,
  )
  return `"${escaped}"`
}

/** A number of bytes as Convex prints limits: "1 MiB", "1.50 MiB". */
export function displayBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${Number.isInteger(size) ? size : size.toFixed(2)} ${units[unit]}`
}

/** How Convex's backend words an argument of the wrong type: "invalid type: null, expected a string". */
export function unexpected(value: Json | undefined, expected: string): string {
  if (typeof value === 'number' && Number.isInteger(value) && value < 0 && expected === 'usize')
    return `invalid value: integer \`${value}\`, expected ${expected}`
  return `invalid type: ${wireType(value)}, expected ${expected}`
}

function wireType(value: Json | undefined): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'sequence'
  if (typeof value === 'object') return 'map'
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`
  if (typeof value === 'boolean') return `boolean \`${value}\``
  return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``
}
