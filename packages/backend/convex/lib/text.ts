/** Texts and their limits. Pure. */
import { refuse } from './errors.js'

/** @throws LIMIT | INVALID */
export function checkText(name: string, text: string, maxChars: number, { required = false } = {}): string {
  if (text.length > maxChars) refuse('LIMIT', `${name} has ${text.length} characters; the limit is ${maxChars}.`)
  if (required && text.trim() === '') refuse('INVALID', `${name} must not be empty.`)
  return text
}

/** @throws INVALID */
export function checkInteger(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    refuse('INVALID', `${name} must be a whole number from ${min} to ${max}.`)
  }
  return value
}

/** What names are compared by: lower case, single spaces. The mention parser does the same. */
export const nameKey = (name: string): string => name.trim().replace(/\s+/g, ' ').toLowerCase()

const encoder = new TextEncoder()

/** Bytes of the text as UTF-8. */
export const utf8Bytes = (text: string): number => encoder.encode(text).length

/** Bytes of the value as JSON. */
export const jsonBytes = (value: unknown): number => encoder.encode(JSON.stringify(value)).length

/** Bytes one code point takes inside a JSON text. */
function pointBytes(point: string): number {
  const code = point.codePointAt(0) ?? 0
  if (code > 0x7f) return code > 0xffff ? 4 : code > 0x7ff ? 3 : 2
  if (code >= 0x20) return point === '"' || point === '\\' ? 2 : 1
  return '\b\t\n\f\r'.includes(point) ? 2 : 6
}

/** Characters that `marker` may need. */
const MARKER_BYTES = 80

/**
 * The text if it fits into `maxBytes` of JSON, else its beginning and a marker that says how much is missing. Never splits a
 * character.
 */
export function cutToBytes(text: string, maxBytes: number): string {
  // Six bytes per UTF-16 unit is the most there is (an escaped control character): short texts need no counting.
  if (text.length * 6 <= maxBytes) return text
  let bytes = 0
  let kept = 0
  let end: number | null = null
  for (const point of text) {
    bytes += pointBytes(point)
    if (end === null && bytes > maxBytes - MARKER_BYTES) end = kept
    if (bytes > maxBytes) return `${text.slice(0, end ?? 0)}${cutMarker(text.length, end ?? 0)}`
    kept += point.length
  }
  return text
}

export const cutMarker = (total: number, shown: number): string => `\n[cut: ${shown} of ${total} characters shown]`

/** Splits a text into pieces of at most `maxChars`, never inside a character. */
export function splitText(text: string, maxChars: number): string[] {
  const parts: string[] = []
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + maxChars)
    if (end < text.length && isLowSurrogate(text.charCodeAt(end))) end--
    parts.push(text.slice(start, end))
    start = end
  }
  return parts
}

/** The text, or its beginning with `…` if it has more than `chars` characters. */
export function cutText(text: string, chars: number): string {
  const [start = ''] = splitText(text, chars)
  return start.length < text.length ? `${start}…` : text
}

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff
