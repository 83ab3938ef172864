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
  // Nearly every value matches, and then nobody asks in which order it was looked at.
  return matches(catalog, validator, value) ? null : describeMismatch(catalog, validator, value, path)
}

/** Whether `value` matches: the same rules without a word of explanation. Of an object the fields in `apart` are not looked at. */
export function matches(catalog: Catalog, validator: ValidatorJson, value: Json, apart: readonly string[] = []): boolean {
  switch (validator.type) {
    case 'any':
      return true
    case 'null':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'string':
    case 'bytes':
      return typeOf(value) === validator.type
    case 'literal':
      return typeof value === 'string' ? value === validator.value : compare(value, validator.value) === 0
    case 'id':
      return typeof value === 'string' && tableOf(catalog, value) === validator.tableName
    case 'array':
      return typeOf(value) === 'array' && (value as Json[]).every((element) => matches(catalog, validator.value, element))
    case 'record':
      return (
        typeOf(value) === 'object' &&
        Object.entries(value as JsonObject).every(
          ([key, child]) => matches(catalog, validator.keys, key) && matches(catalog, validator.values.fieldType, child),
        )
      )
    case 'union':
      return validator.value.some((option) => matches(catalog, option, value, apart))
    case 'object':
      return typeOf(value) === 'object' && objectMatches(catalog, validator.value, value as JsonObject, apart)
    case 'commitTs':
      throw new NotSupportedError('v.commitTs()')
  }
}

function objectMatches(
  catalog: Catalog,
  fields: Record<string, FieldJson>,
  value: JsonObject,
  apart: readonly string[],
): boolean {
  for (const name in fields) {
    if (apart.includes(name)) continue
    const { fieldType, optional } = fields[name]!
    if (Object.hasOwn(value, name) ? !matches(catalog, fieldType, value[name]!) : !optional) return false
  }
  for (const name in value) if (!Object.hasOwn(fields, name) && !apart.includes(name)) return false
  return true
}

function describeMismatch(catalog: Catalog, validator: ValidatorJson, value: Json, path: string): string | null {
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
  const found = tableOf(catalog, id)
  if (found === tableName) return null
  if (found === undefined) return mismatch()
  const from = found.startsWith('_') ? 'a system table' : `table \`${found}\``
  return `Found ID "${id}" from ${from}, which does not match the table name in validator \`v.id("${tableName}")\`.${where}`
}

/** The table that an id names, also one that has left the schema; `undefined` when the text is no id or names none. */
function tableOf(catalog: Catalog, id: string): string | undefined {
  const number = tableNumberOf(id)
  return number === null ? undefined : (catalog.tableByNumber(number)?.name ?? catalog.formerTable(number))
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
