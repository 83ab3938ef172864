/** Checks encoded values against validator JSON, with error texts in the words of the Convex backend. */
import { NotSupportedError } from '../errors.ts'
import type { Catalog } from '../storage/catalog.ts'
import { sortedEntries } from '../values/display.ts'
import { tableNumberOf } from '../values/ids.ts'
import { typeOf, type Json, type JsonObject } from '../values/json.ts'
import { compare } from '../queries/filter.ts'
import { describeLiteral, describeValidator, describeValue } from './describe.ts'

export type FieldJson = { fieldType: ValidatorJson; optional: boolean }
export type ValidatorJson =
  | { type: 'null' | 'number' | 'bigint' | 'boolean' | 'string' | 'bytes' | 'any' | 'commitTs' }
  | { type: 'literal'; value: Json }
  | { type: 'id'; tableName: string }
  | { type: 'array'; value: ValidatorJson }
  | { type: 'record'; keys: ValidatorJson; values: FieldJson }
  | { type: 'object'; value: Record<string, FieldJson> }
  | { type: 'union'; value: ValidatorJson[] }

/**
 * What is wrong with `value`, or null when it matches. Fields are looked at in the order of their names. A sentence about an id or a
 * literal has the path right behind its full stop, others have it on a line of its own, which is empty at the top: so Convex does it.
 */
export function findMismatch(catalog: Catalog, validator: ValidatorJson, value: Json, path = ''): string | null {
  const where = path && `Path: ${path}`
  const mismatch = () =>
    `Value does not match validator.\n${where}\nValue: ${describeValue(value)}\nValidator: ${describeValidator(validator)}`
  const type = typeOf(value)
  switch (validator.type) {
    case 'any':
      return null
    case 'null':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'string':
    case 'bytes':
      return type === validator.type ? null : mismatch()
    case 'literal':
      return compare(value, validator.value) === 0
        ? null
        : `\`${describeValue(value)}\` does not match literal validator \`v.literal(${describeLiteral(validator.value)})\`.${where}`
    case 'id':
      return type === 'string' ? checkId(catalog, validator.tableName, value as string, where, mismatch) : mismatch()
    case 'array':
      if (type !== 'array') return mismatch()
      return first((value as Json[]).entries(), ([at, element]) =>
        findMismatch(catalog, validator.value, element, `${path}[${at}]`),
      )
    case 'record':
      if (type !== 'object') return mismatch()
      return first(
        sortedEntries(value as JsonObject),
        ([key, child]) =>
          findMismatch(catalog, validator.keys, key, `${path}.keys()`) ??
          findMismatch(catalog, validator.values.fieldType, child, `${path}.values()`),
      )
    case 'union':
      // The only member says more precisely what is wrong.
      if (validator.value.length === 1) return findMismatch(catalog, validator.value[0]!, value, path)
      return validator.value.some((option) => findMismatch(catalog, option, value, path) === null) ? null : mismatch()
    case 'object':
      return type === 'object' ? checkObject(catalog, validator, value as JsonObject, path, where) : mismatch()
    case 'commitTs':
      throw new NotSupportedError('v.commitTs()')
  }
}

function checkId(catalog: Catalog, tableName: string, id: string, where: string, mismatch: () => string): string | null {
  const number = tableNumberOf(id)
  if (number === null) return mismatch()
  const found = catalog.tableByNumber(number)?.name ?? catalog.formerTable(number)
  if (found === tableName) return null
  if (found === undefined) return mismatch()
  const from = found.startsWith('_') ? 'a system table' : `table \`${found}\``
  return `Found ID "${id}" from ${from}, which does not match the table name in validator \`v.id("${tableName}")\`.${where}`
}

function checkObject(
  catalog: Catalog,
  validator: ValidatorJson & { type: 'object' },
  value: JsonObject,
  path: string,
  where: string,
): string | null {
  const context = () => `\n${where}\nObject: ${describeValue(value)}\nValidator: ${describeValidator(validator)}`
  for (const [name, { fieldType, optional }] of sortedEntries(validator.value)) {
    if (!Object.hasOwn(value, name)) {
      if (optional) continue
      return `Object is missing the required field \`${name}\`. Consider wrapping the field validator in \`v.optional(...)\` if this is expected.${context()}`
    }
    const problem = findMismatch(catalog, fieldType, value[name]!, `${path}.${name}`)
    if (problem) return problem
  }
  for (const [name] of sortedEntries(value)) {
    if (!Object.hasOwn(validator.value, name))
      return `Object contains extra field \`${name}\` that is not in the validator.${context()}`
  }
  return null
}

function first<T>(items: Iterable<T>, check: (item: T) => string | null): string | null {
  for (const item of items) {
    const problem = check(item)
    if (problem) return problem
  }
  return null
}
