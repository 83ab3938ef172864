/** Size of an encoded value in bytes by Convex's formula (the same as `getConvexSize` of the decoded value). */
import { bytesOf, typeOf, type Json, type JsonObject } from './json.ts'

export function sizeOf(json: Json): number {
  switch (typeOf(json)) {
    case 'null':
    case 'boolean':
      return 1
    case 'bigint':
    case 'number':
      return 9
    case 'string':
      return 2 + utf8Length(json as string)
    case 'bytes':
      return 2 + bytesOf(json).length
    case 'array': {
      let sum = 2
      for (const element of json as Json[]) sum += sizeOf(element)
      return sum
    }
    case 'object': {
      let sum = 2
      for (const field in json as JsonObject) sum += utf8Length(field) + 1 + sizeOf((json as JsonObject)[field]!)
      return sum
    }
  }
}

const SHORT = 40 // characters: up to here looking at each costs less than asking Node

function utf8Length(text: string): number {
  if (text.length > SHORT) return Buffer.byteLength(text)
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return Buffer.byteLength(text)
  return text.length
}
