/** Syscalls on single documents: get, insert, patch, replace, delete, normalizeId. */
import { FunctionError, NotSupportedError } from '../errors.ts'
import { CRONS, SCHEDULED, STORAGE, type TableInfo } from '../storage/catalog.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { tableNumberOf } from '../values/ids.ts'
import { isObject, isUndefinedMarker, typeOf, type Json, type JsonObject } from '../values/json.ts'

interface IdArgs {
  id: Json
  table?: string
}

export function get(tx: Transaction, args: IdArgs & { isSystem: boolean }): Json {
  const { id, table } = resolve(tx, args, 'get')
  if (table.system !== args.isSystem) {
    const [kind, accessor] = table.system ? ['System', 'db.system.get()'] : ['User', 'db.get()']
    throw new FunctionError(`${kind} tables can only be accessed from ${accessor}.`)
  }
  return visible(table) ? tx.get(id) : null
}

export function insert(tx: Transaction, args: { table: string; value: Json }): Json {
  const table = tx.requireTable(args.table)
  const value = requireObject(args.value, 'insert')
  for (const field of ['_id', '_creationTime']) {
    if (field in value)
      throw new FunctionError(`Provided \`${field}\` field value does not match the document: it is assigned by \`db.insert\`.`)
  }
  checkFieldNames(value)
  return { _id: tx.insert(table, value) }
}

export function patch(tx: Transaction, args: IdArgs & { value: Json }): Json {
  const { id, table } = resolve(tx, args, 'patch')
  const change = requireObject(args.value, 'patch')
  const current = existing(tx, id, 'Update')
  keepsSystemFields(change, current)
  const next: JsonObject = { ...current }
  for (const [field, value] of Object.entries(change)) {
    if (isUndefinedMarker(value)) delete next[field]
    else next[field] = value
  }
  checkFieldNames(next)
  tx.update(table, id, next)
  return null
}

export function replace(tx: Transaction, args: IdArgs & { value: Json }): Json {
  const { id, table } = resolve(tx, args, 'replace')
  const value = requireObject(args.value, 'replace')
  const current = existing(tx, id, 'Replace')
  keepsSystemFields(value, current)
  const next: JsonObject = { ...value, _id: current['_id']!, _creationTime: current['_creationTime']! }
  checkFieldNames(next)
  tx.update(table, id, next)
  return null
}

export function remove(tx: Transaction, args: IdArgs): Json {
  const { id, table } = resolve(tx, args, 'delete')
  existing(tx, id, 'Delete')
  tx.remove(table, id)
  return null
}

export function normalizeId(tx: Transaction | null, args: { table: string; idString: string }): Json {
  if (!tx) throw new FunctionError('db.normalizeId() needs a query or a mutation.')
  const number = tableNumberOf(args.idString)
  const table = tx.catalog.table(args.table)
  return { id: table && table.number === number ? args.idString : null }
}

/** Cron state is the engine's own; only scheduled functions and stored files are readable through `db.system`. */
export function visible(table: TableInfo): boolean {
  if (table.name === CRONS) throw new NotSupportedError(`the system table ${table.name}`)
  return !table.system || table.name === SCHEDULED || table.name === STORAGE
}

function resolve(tx: Transaction, args: IdArgs, method: string): { id: string; table: TableInfo } {
  if (typeof args.id !== 'string') {
    throw new FunctionError(`Invalid argument \`id\` for \`db.${method}\`, expected string but got '${typeOf(args.id)}'`)
  }
  const table = tx.tableOfId(args.id, method)
  if (args.table !== undefined && args.table !== table.name) {
    throw new FunctionError(
      `Invalid argument \`id\` for \`db.${method}\`: expected an ID of table "${args.table}", got "${args.id}" of table "${table.name}".`,
    )
  }
  if (method !== 'get' && table.system) throw new FunctionError('System tables (prefixed with `_`) are read-only.')
  return { id: args.id, table }
}

function existing(tx: Transaction, id: string, verb: string): JsonObject {
  const document = tx.get(id)
  if (!document) throw new FunctionError(`${verb} on nonexistent document ID ${id}`)
  return document
}

function requireObject(value: Json, method: string): JsonObject {
  if (!isObject(value) || typeOf(value) !== 'object') {
    throw new FunctionError(`Invalid argument \`value\` for \`db.${method}\`, expected object but got '${typeOf(value)}'`)
  }
  return value
}

function keepsSystemFields(value: JsonObject, current: JsonObject): void {
  for (const field of ['_id', '_creationTime']) {
    if (field in value && value[field] !== current[field]) {
      throw new FunctionError(
        `Provided \`${field}\` field value ${JSON.stringify(value[field])} does not match the document's ${JSON.stringify(current[field])}`,
      )
    }
  }
}

function checkFieldNames(document: JsonObject): void {
  for (const field of Object.keys(document)) {
    if (field.startsWith('_') && field !== '_id' && field !== '_creationTime') {
      throw new FunctionError(`Field '${field}' starts with an underscore, which is only allowed for system fields like '_id'`)
    }
  }
}
