/** Whether a table's definition is one that Convex would accept. Refusals name table, index and field, in Convex's words. */
import { NotSupportedError } from '../errors.ts'
import { fieldPathProblem, identifierProblem } from '../values/names.ts'
import { typeOf } from '../values/json.ts'
import { describeValidator } from './describe.ts'
import type { FieldJson, ValidatorJson } from './validate.ts'

/** What is needed of a table's export. Search and vector indexes count as indexes and share their names. */
export interface TableToCheck {
  name: string
  indexes: readonly { indexDescriptor: string; fields: readonly string[] }[]
  otherIndexes: readonly { indexDescriptor: string }[]
  /** Null when the table has none. */
  documentType: ValidatorJson | null
  /** Whether documents will be checked: only then must indexed fields exist in the document type. */
  schemaValidation: boolean
}

const MAX_INDEXES_PER_TABLE = 64
const MAX_FIELDS_PER_INDEX = 16

/** @throws Error with one sentence, NotSupportedError for what this backend does not have */
export function checkTable(table: TableToCheck): void {
  const { name, indexes, otherIndexes, documentType } = table
  if (identifierProblem(name))
    throw new Error(
      `Invalid table name: "${name}". Identifiers must start with a letter and can only contain letters, digits, and underscores.`,
    )
  if (name.startsWith('_')) throw new Error(`${name} is a reserved table name.`)
  if (documentType) checkDocumentType(name, documentType)
  if (indexes.length + otherIndexes.length > MAX_INDEXES_PER_TABLE)
    throw new Error(`Table "${name}" cannot have more than ${MAX_INDEXES_PER_TABLE} indexes.`)
  for (const index of indexes) checkIndex(name, index.indexDescriptor, index.fields)
  checkSameFields(name, indexes)
  checkIndexNames(
    name,
    [...indexes, ...otherIndexes].map((index) => index.indexDescriptor),
  )
  if (!documentType || !table.schemaValidation) return
  for (const { indexDescriptor, fields } of indexes) {
    const missing = fields.find((field) => !canHoldField(documentType, field.split('.')))
    if (missing !== undefined)
      throw new Error(
        `In table "${name}" the index "${indexDescriptor}" is invalid because it references the field "${missing}" that does not exist.`,
      )
  }
}

function checkIndex(table: string, index: string, fields: readonly string[]): void {
  const refuse = (what: string): never => {
    throw new Error(`In table "${table}": In index "${index}": ${what}`)
  }
  if (identifierProblem(index))
    throw new Error(
      `In table "${table}": Invalid index name: "${index}". Identifiers must be 64 characters or less, start with a letter, and only contain letters, digits, underscores.`,
    )
  if (fields.length === 0) throw new Error(`In table "${table}" index "${index}" must have at least one field.`)
  for (const [at, field] of fields.entries()) {
    if (field === '_id') refuse('`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.')
    if (field === '_creationTime')
      refuse(
        '`_creationTime` is automatically added to the end of each index. It should not be added explicitly in the index definition. See https://docs.convex.dev/using/indexes for more details.',
      )
    if (field.startsWith('_')) refuse('Reserved fields (starting with `_`) are not allowed in indexes.')
    if (fieldPathProblem(field)) refuse(`Invalid index field: "${field}"`)
    if (fields.indexOf(field) !== at) refuse(`Duplicate field "${field}". Index fields must be unique within an index.`)
  }
  if (fields.length > MAX_FIELDS_PER_INDEX) refuse(`Indexes may have up to ${MAX_FIELDS_PER_INDEX} fields.`)
}

function checkSameFields(table: string, indexes: TableToCheck['indexes']): void {
  const seen = new Map<string, string>()
  const byName = indexes.toSorted((a, b) => (a.indexDescriptor < b.indexDescriptor ? -1 : 1))
  for (const { indexDescriptor, fields } of byName) {
    const key = JSON.stringify(fields)
    const other = seen.get(key)
    if (other !== undefined && other !== indexDescriptor)
      throw new Error(
        `In table "${table}" index "${indexDescriptor}" and index "${other}" have the same fields. Indexes must be unique within a table.`,
      )
    seen.set(key, indexDescriptor)
  }
}

function checkIndexNames(table: string, names: readonly string[]): void {
  for (const [at, name] of names.entries()) {
    if (name.startsWith('_') || name === 'by_id' || name === 'by_creation_time')
      throw new Error(
        `In table "${table}" cannot name an index "${name}" because the name is reserved. Indexes may not start with an underscore or be named "by_id" or "by_creation_time".`,
      )
    if (names.indexOf(name) !== at) throw new Error(`Table "${table}" has two or more definitions of index "${name}".`)
  }
}

function checkDocumentType(table: string, type: ValidatorJson): void {
  const members = type.type === 'union' ? type.value : [type]
  const wrong = type.type !== 'any' && members.some((member) => member.type !== 'object')
  if (wrong)
    throw new Error(
      `In table "${table}": The document validator in a schema must be an object, a union of objects, or \`v.any()\`. Found ${describeValidator(type)}. To learn more, see the schema documentation at https://docs.convex.dev/database/schemas.`,
    )
  for (const member of members) checkValidator(member, `table ${table}`)
}

/** Refuses validators Convex does not take. `where` says whose it is, for what is not supported here. */
function checkValidator(validator: ValidatorJson, where: string): void {
  switch (validator.type) {
    case 'commitTs':
      throw new NotSupportedError(`v.commitTs() (${where})`)
    case 'literal':
      if (typeOf(validator.value) === 'number' && typeof validator.value !== 'number')
        throw new Error(`In ${where}: Infinite or NaN values are not supported in literal validators.`)
      return
    case 'array':
      return checkValidator(validator.value, where)
    case 'union':
      for (const member of validator.value) checkValidator(member, where)
      return
    case 'record':
      checkValidator(validator.keys, where)
      checkValidator(validator.values.fieldType, where)
      return checkRecord(validator.keys, validator.values, where)
    case 'object':
      for (const [name, { fieldType }] of Object.entries(validator.value)) {
        const problem = identifierProblem(name)
        if (problem) throw new Error(`In ${where}: ${problem}`)
        checkValidator(fieldType, `${where}, field ${name}`)
      }
      return
    default:
  }
}

function checkRecord(keys: ValidatorJson, values: FieldJson, where: string): void {
  const members = keys.type === 'union' ? keys.value : [keys]
  if (members.some(({ type }) => type !== 'string' && type !== 'id' && type !== 'literal'))
    throw new Error(
      `In ${where}: Records can only have string keys. Your validator contains a record with key typed as \`${describeValidator(keys)}\`, which is not a subtype of \`v.string()\``,
    )
  if (members.some(({ type }) => type === 'literal')) throw new Error(`In ${where}: Records cannot have string literal keys`)
  if (values.optional) throw new Error(`In ${where}: Records cannot have optional values`)
}

function canHoldField(validator: ValidatorJson, path: readonly string[]): boolean {
  const [name, ...rest] = path
  if (name === undefined) return true
  if (validator.type === 'any') return true
  if (validator.type === 'union') return validator.value.some((member) => canHoldField(member, path))
  if (validator.type !== 'object' || !Object.hasOwn(validator.value, name)) return false
  return canHoldField(validator.value[name]!.fieldType, rest)
}
