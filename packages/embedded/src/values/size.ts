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
      return 2 + Buffer.byteLength(json as string)
    case 'bytes':
      return 2 + bytesOf(json).length
    case 'array':
      return (json as Json[]).reduce<number>((sum, element) => sum + sizeOf(element), 2)
    case 'object':
      return Object.entries(json as JsonObject).reduce(
        (sum, [field, value]) => sum + Buffer.byteLength(field) + 1 + sizeOf(value),
        2,
      )
  }
}
