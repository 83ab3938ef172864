/** What every value must keep to wherever it comes from: arguments, results and documents. */
import { displayBytes } from './display.ts'
import type { Json, JsonObject } from './json.ts'
import { fieldNameProblem } from './names.ts'
import { sizeOf } from './size.ts'

export const VALUE_LIMITS = {
  nesting: 64, // documents: 16
  arrayLength: 8_192,
  objectFields: 1_024,
  bytes: 32 * 1024 * 1024, // documents: 1 MiB
} as const

/** Bytes behind `$integer` and `$float`. */
const NUMBER_BYTES = 8

/** What is wrong with an encoded value in Convex's words, or null. The caller says whose value it is. */
export function valueProblem(value: Json): string | null {
  const found = inspect(value)
  if (found.problem !== null) return found.problem
  const size = sizeOf(value)
  if (size > VALUE_LIMITS.bytes)
    return `Value is too large (${displayBytes(size)} > maximum size ${displayBytes(VALUE_LIMITS.bytes)})`
  return null
}

/** How deep arrays and objects are nested: 0 for anything else, 1 for an empty one. */
export function nestingOf(value: Json): number {
  if (typeof value !== 'object' || value === null || isScalar(value)) return 0
  let deepest = 0
  for (const child of Object.values<Json>(value)) deepest = Math.max(deepest, nestingOf(child))
  return deepest + 1
}

interface Found {
  problem: string | null
  nesting: number
}
const fine = (nesting: number): Found => ({ problem: null, nesting })
/** Most of what is looked at is text and numbers: one answer for all of them. */
const FINE: Found = Object.freeze(fine(0))
const wrong = (problem: string): Found => ({ problem, nesting: 0 })

function inspect(value: Json): Found {
  if (typeof value === 'string') {
    return value.isWellFormed() ? FINE : wrong('Strings must be valid Unicode: this one has an unpaired surrogate')
  }
  if (typeof value !== 'object' || value === null) return FINE
  if (isScalar(value)) return inspectScalar(value as JsonObject)
  const children = Array.isArray(value) ? value : Object.values(value)
  const count = children.length
  if (!Array.isArray(value)) {
    for (const name in value) {
      const problem = fieldNameProblem(name)
      if (problem) return wrong(problem)
    }
    if (count > VALUE_LIMITS.objectFields)
      return wrong(`Object has too many fields (${count} > maximum number ${VALUE_LIMITS.objectFields})`)
  } else if (count > VALUE_LIMITS.arrayLength) {
    return wrong(`Array length is too long (${count} > maximum length ${VALUE_LIMITS.arrayLength})`)
  }
  let deepest = 0
  for (const child of children) {
    const found = inspect(child)
    if (found.problem !== null) return found
    deepest = Math.max(deepest, found.nesting)
  }
  if (deepest + 1 > VALUE_LIMITS.nesting)
    return wrong(`Value is too nested (nested ${deepest + 1} levels deep > maximum nesting ${VALUE_LIMITS.nesting})`)
  return fine(deepest + 1)
}

/** Whether it is the encoding of an integer, a special number or bytes: those have exactly one field. */
function isScalar(value: object): boolean {
  if (Array.isArray(value)) return false
  if (!('$integer' in value || '$float' in value || '$bytes' in value)) return false
  return Object.keys(value).length === 1
}

function inspectScalar(value: JsonObject): Found {
  const [[name, text]] = Object.entries(value) as [[string, Json]]
  if (typeof text !== 'string') return wrong(`${name} must hold a string`)
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) return wrong(`${name} must hold base64`)
  if (name === '$bytes') return fine(0)
  if (bytes.length !== NUMBER_BYTES) return wrong(`Received ${bytes.length} bytes, expected ${NUMBER_BYTES} for ${name}`)
  if (name === '$integer') return fine(0)
  const number = bytes.readDoubleLE(0)
  return Number.isFinite(number) && number !== 0 ? wrong(`Float64 ${number} should be encoded as a number`) : fine(0)
}
