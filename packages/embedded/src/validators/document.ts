/** Stored documents against their table's schema, and what to tell the person who has to repair them. */
import type { Catalog, TableInfo } from '../storage/catalog.ts'
import type { Json } from '../values/json.ts'
import { findMismatch, matches, type ValidatorJson } from './validate.ts'

const SYSTEM_FIELDS: readonly string[] = ['_id', '_creationTime']

/** What is wrong with a document, its system fields left out, or null when it matches its table's schema. */
export function schemaProblem(catalog: Catalog, table: TableInfo, document: Json): string | null {
  if (table.documentType === null) return null
  if (matches(catalog, table.documentType as unknown as ValidatorJson, document, SYSTEM_FIELDS)) return null
  const { _id: _1, _creationTime: _2, ...fields } = document as Record<string, Json>
  return findMismatch(catalog, withoutSystemFields(table.documentType as unknown as ValidatorJson), fields)
}

/** Schemas may name `_id` and `_creationTime`; every document has them, and they are checked elsewhere. */
function withoutSystemFields(validator: ValidatorJson): ValidatorJson {
  if (validator.type === 'union') return { type: 'union', value: validator.value.map(withoutSystemFields) }
  if (validator.type !== 'object' || !Object.keys(validator.value).some((name) => name.startsWith('_'))) return validator
  return {
    type: 'object',
    value: Object.fromEntries(Object.entries(validator.value).filter(([name]) => !name.startsWith('_'))),
  }
}

/** Table, id, field and reason of a mismatch in one line. */
export function describeDocumentProblem(table: string, id: string, problem: string): string {
  const reason = (problem.split('\n')[0] ?? problem).replace(/Path: \S+$/, '')
  const named = /field `([^`]+)`/.exec(reason)?.[1]
  const path = /Path: \.?(\S+)/.exec(problem)?.[1]
  const field = [path, named].filter((part) => part !== undefined).join('.')
  const value = /\nValue: (.*)/.exec(problem)?.[1]
  const expected = named === undefined ? /\nValidator: (.*)/.exec(problem)?.[1] : undefined
  const detail = value !== undefined && expected !== undefined ? `${reason} Value: ${value}, expected: ${expected}.` : reason
  return `table "${table}", id ${id}${field === '' ? '' : `, field "${field}"`}: ${detail}`
}
