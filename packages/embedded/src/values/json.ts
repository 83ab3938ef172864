/**
 * Convex values in their JSON encoding: what syscalls, the wire and the documents table hold. The engine works on this form
 * directly; decoded values exist only inside user functions.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export type ConvexType = 'null' | 'bigint' | 'number' | 'boolean' | 'string' | 'bytes' | 'array' | 'object'

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The absent value inside patches, filters and index ranges: `{ $undefined: null }`. */
export function isUndefinedMarker(json: Json | undefined): boolean {
  return isObject(json) && json['$undefined'] === null && Object.keys(json).length === 1
}

/** Which Convex type an encoded value has. `$integer`, `$float` and `$bytes` wrappers are scalars, not objects. */
export function typeOf(json: Json): ConvexType {
  if (json === null) return 'null'
  if (Array.isArray(json)) return 'array'
  if (typeof json !== 'object') return typeof json as 'boolean' | 'number' | 'string'
  if (typeof json['$integer'] === 'string') return 'bigint'
  if (typeof json['$float'] === 'string') return 'number'
  if (typeof json['$bytes'] === 'string') return 'bytes'
  return 'object'
}

/** The number behind a plain JSON number or a `$float` wrapper (NaN, infinities, minus zero). */
export function numberOf(json: Json): number {
  if (typeof json === 'number') return json
  return Buffer.from((json as { $float: string }).$float, 'base64').readDoubleLE(0)
}

export function bigintOf(json: Json): bigint {
  return Buffer.from((json as { $integer: string }).$integer, 'base64').readBigInt64LE(0)
}

export function bytesOf(json: Json): Buffer {
  return Buffer.from((json as { $bytes: string }).$bytes, 'base64')
}

/** The field at a dotted path, or undefined when any part of it is missing. */
export function fieldAt(document: Json, path: string): Json | undefined {
  if (!path.includes('.')) return isObject(document) && Object.hasOwn(document, path) ? document[path] : undefined
  let value: Json | undefined = document
  for (const part of path.split('.')) {
    if (!isObject(value) || typeOf(value) !== 'object') return undefined
    value = Object.hasOwn(value, part) ? value[part] : undefined
  }
  return value
}
