/** Syscalls on single documents: get, insert, patch, replace, delete, normalizeId. Refusals are in Convex's words. */
import { isDeepStrictEqual } from 'node:util'
import { FunctionError, NotSupportedError } from '../errors.ts'
import { CRONS, SCHEDULED, STORAGE, type TableInfo } from '../storage/catalog.ts'
import { checkUserSize, withSystemFields } from '../transactions/shape.ts'
import type { Transaction } from '../transactions/transaction.ts'
import { valueProblem } from '../values/check.ts'
import { unexpected } from '../values/display.ts'
import { decodeId, tableNumberOf } from '../values/ids.ts'
import { isObject, isUndefinedMarker, typeOf, type Json, type JsonObject } from '../values/json.ts'
import { fieldNameProblem } from '../values/names.ts'
import { sizeOf } from '../values/size.ts'

interface IdArgs {
  id: Json
  table?: string
}

/** The document encoded. Null for one that does not exist, and for an id of a table that does not. */
export function get(tx: Transaction, args: IdArgs & { isSystem: boolean }): string | null {
  const id = stringId(args.id, 'get')
  const decoded = decodeId(id)
  if ('table' in decoded) {
    const found = tx.catalog.tableByNumber(decoded.table)
    if (found ? isPrivate(found) : tx.catalog.formerTable(decoded.table) === undefined) return null
  }
  const table = tx.tableOfId(id, 'get')
  if (table.system !== args.isSystem) {
    throw new FunctionError(
      table.system ? 'System tables can only be accessed with db.system.' : 'User tables cannot be accessed with db.system.',
    )
  }
  checkTable(args, table, 'get')
  return tx.getEncoded(id)
}

export function insert(tx: Transaction, args: { table: string; value: Json }): Json {
  const table = tx.requireTable(args.table)
  if (table.system) throw new FunctionError('System tables can only be accessed with db.system.')
  const value = requireObject(args.value, 'insert')
  checkUserSize(sizeOf(value))
  return { _id: tx.insert(table, value) }
}

/** Fields that are the absent value are removed; others replace what was there. System fields cannot be removed. */
export function patch(tx: Transaction, args: IdArgs & { value: Json }): Json {
  const { id, table } = resolve(tx, args, 'patch')
  const change = args.value
  // A wrapped scalar (`{ $integer: … }`) is refused by the name of its only field.
  if (!isObject(change)) throw badValue('patch', 'Value must be an Object')
  for (const [field, value] of Object.entries(change)) {
    const problem = fieldNameProblem(field) ?? (isUndefinedMarker(value) ? null : valueProblem(refuseCommitTs(value)))
    if (problem) throw badValue('patch', problem)
  }
  const current = existing(tx, id, 'Update')
  if (changesNothing(current, change)) return null
  const merged: JsonObject = { ...current }
  for (const [field, value] of Object.entries(change)) {
    if (isUndefinedMarker(value)) delete merged[field]
    else merged[field] = value
  }
  const problem = valueProblem(merged)
  if (problem) throw new FunctionError(problem)
  checkUserSize(sizeOf(merged)) // before it is written: a handler may catch the refusal and commit
  tx.update(table, id, withSystemFields(merged, id, current['_creationTime'] as number))
  return null
}

/** A document that stays as it is is not written: nobody who read it is told, and it counts for no cap. */
function changesNothing(current: JsonObject, change: JsonObject): boolean {
  return Object.entries(change).every(([field, value]) =>
    isUndefinedMarker(value)
      ? !Object.hasOwn(current, field)
      : Object.hasOwn(current, field) && (current[field] === value || isDeepStrictEqual(current[field], value)),
  )
}

export function replace(tx: Transaction, args: IdArgs & { value: Json }): Json {
  const { id, table } = resolve(tx, args, 'replace')
  const value = requireObject(args.value, 'replace')
  checkUserSize(sizeOf(value))
  update(tx, table, existing(tx, id, 'Replace'), value)
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
  const table = tx.catalog.table(args.table)
  return { id: table && !isPrivate(table) && table.number === tableNumberOf(args.idString) ? args.idString : null }
}

/** Cron state is the engine's own; only scheduled functions and stored files are readable through `db.system`. */
export function visible(table: TableInfo): boolean {
  if (table.name === CRONS) throw new NotSupportedError(`the system table ${table.name}`)
  return !table.system || table.name === SCHEDULED || table.name === STORAGE
}

function isPrivate(table: TableInfo): boolean {
  return table.name === CRONS
}

function stringId(id: Json, method: string): string {
  if (typeof id === 'string') return id
  throw new FunctionError(`Invalid arguments for \`db.${method}\`: ${unexpected(id, 'a string')}`)
}

function resolve(tx: Transaction, args: IdArgs, method: string): { id: string; table: TableInfo } {
  const id = stringId(args.id, method)
  const table = tx.tableOfId(id, method)
  if (isPrivate(table)) throw new FunctionError(`Invalid argument \`id\` for \`db.${method}\`: Table for ID "${id}" not found`)
  if (table.system) throw new FunctionError('System tables can only be accessed with db.system.')
  checkTable(args, table, method)
  return { id, table }
}

/** The table a caller named, of `db.get("table", id)` and the like. */
function checkTable(args: IdArgs, table: TableInfo, method: string): void {
  if (args.table === undefined || args.table === table.name) return
  throw new FunctionError(
    `Invalid argument \`id\` for \`db.${method}\`: expected an ID of table "${args.table}", got "${args.id as string}" of table "${table.name}".`,
  )
}

function existing(tx: Transaction, id: string, verb: string): JsonObject {
  const document = tx.get(id)
  if (!document) throw new FunctionError(`${verb} on nonexistent document ID ${id}`)
  return document
}

/** As for a patch, of the whole document. */
function update(tx: Transaction, table: TableInfo, current: JsonObject, next: JsonObject): void {
  const document = withSystemFields(next, current['_id'] as string, current['_creationTime'] as number)
  if (isDeepStrictEqual(document, current)) return
  tx.update(table, document['_id'] as string, document)
}

function requireObject(value: Json, method: string): JsonObject {
  const problem = valueProblem(refuseCommitTs(value))
  if (problem) throw badValue(method, problem)
  if (!isObject(value) || typeOf(value) !== 'object') throw badValue(method, 'Value must be an Object')
  return value
}

function badValue(method: string, problem: string): FunctionError {
  return new FunctionError(`Invalid argument \`value\` for \`db.${method}\`: ${problem}`)
}

/** `db.vars.commitTs`, at any depth. */
function refuseCommitTs(value: Json): Json {
  if (typeof value === 'object' && value !== null) {
    if (Object.hasOwn(value, '$commitTs')) throw new NotSupportedError('db.vars.commitTs')
    for (const child of Object.values<Json>(value)) refuseCommitTs(child)
  }
  return value
}
