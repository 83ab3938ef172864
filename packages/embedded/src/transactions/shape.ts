/** Size, depth and breadth caps of one document. */
import { FunctionError } from '../errors.ts'
import { typeOf, type Json, type JsonObject } from '../values/json.ts'
import { LIMITS } from './limits.ts'

export function checkShape(document: JsonObject, size: number): void {
  if (size > LIMITS.documentBytes) {
    throw new FunctionError(`Value is too large (${(size / 1024 / 1024).toFixed(2)} MiB > maximum size 1 MiB)`)
  }
  walk(document, 1)
}

function walk(value: Json, depth: number): void {
  const type = typeOf(value)
  if (type !== 'array' && type !== 'object') return
  if (depth > LIMITS.documentDepth) {
    throw new FunctionError(`Document is too nested (nested more than the maximum nesting ${LIMITS.documentDepth})`)
  }
  const children = type === 'array' ? (value as Json[]) : Object.values(value as JsonObject)
  if (type === 'array' && children.length > LIMITS.arrayLength) {
    throw new FunctionError(`Array length is too long (${children.length} > maximum length ${LIMITS.arrayLength})`)
  }
  if (type === 'object' && children.length > LIMITS.documentFields) {
    throw new FunctionError(`Object has too many fields (${children.length} > maximum number ${LIMITS.documentFields})`)
  }
  for (const child of children) walk(child, depth + 1)
}
