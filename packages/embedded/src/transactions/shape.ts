/** What a document of a user's table must keep to, and how it gets its system fields. */
import { FunctionError } from '../errors.ts'
import { nestingOf, valueProblem } from '../values/check.ts'
import { displayBytes, displayNumber, displayValue } from '../values/display.ts'
import { numberOf, typeOf, type Json, type JsonObject } from '../values/json.ts'
import { describeValue } from '../validators/describe.ts'
import { LIMITS } from './limits.ts'

const SYSTEM_FIELDS: readonly string[] = ['_id', '_creationTime']

/** The whole document, for imports. `size`: of the document, bytes. */
export function checkShape(document: JsonObject, size: number): void {
  const problem = valueProblem(document)
  if (problem) throw new FunctionError(problem)
  checkUserSize(size)
  checkDocument(document)
}

/** Bytes of what was given: what `insert` and `replace` are handed, and what a patched document has become. */
export function checkUserSize(size: number): void {
  if (size > LIMITS.documentBytes)
    throw new FunctionError(`Value is too large (${displayBytes(size)} > maximum size ${displayBytes(LIMITS.documentBytes)})`)
}

/** Depth and names: further fields that begin with an underscore are the system's, on the top level only. */
export function checkDocument(document: JsonObject): void {
  const problems: string[] = []
  const nesting = nestingOf(document)
  if (nesting > LIMITS.documentNesting)
    problems.push(`Document is too nested (nested ${nesting} levels deep > maximum nesting ${LIMITS.documentNesting})`)
  for (const field of Object.keys(document).sort()) {
    if (field.startsWith('_') && !SYSTEM_FIELDS.includes(field))
      problems.push(`Field '${field}' starts with an underscore, which is only allowed for system fields like '_id'`)
  }
  if (problems.length > 0)
    throw new FunctionError(`Document(value: ${describeValue(document)}) isn't a valid document: ${problems.join('\n ')}`)
}

/** `value` with its system fields. It may hold them already, if they are the same. */
export function withSystemFields(value: JsonObject, id: string, creationTime: number): JsonObject {
  if (Object.hasOwn(value, '_id') && value['_id'] !== id)
    throw new FunctionError(
      `Provided document ID ${displayValue(id)} doesn't match '_id' field ${describeValue(value['_id'] as Json)}`,
    )
  const given = value['_creationTime']
  if (given !== undefined && !(typeOf(given) === 'number' && numberOf(given) === creationTime))
    throw new FunctionError(
      `Provided creation time ${displayNumber(creationTime).replace(/\.0$/, '')} doesn't match '_creationTime' field in ${describeValue({ ...value, _id: id })}`,
    )
  return { ...value, _creationTime: creationTime, _id: id }
}
