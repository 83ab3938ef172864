/**
 * Ids as arguments. Convex's own validator refuses an id of another table, or a text that is none, with a message that production hides
 * from clients. So a function's ids are registered as texts, and looked at after its guard: the refusal then has a code, and a stranger
 * learns nothing by it.
 */
import type { GenericValidator, PropertyValidators } from 'convex/values'
import { v } from 'convex/values'
import type { TableNames } from '../_generated/dataModel.js'
import type { QueryCtx } from '../_generated/server.js'
import { refuse } from './errors.js'

/** A text that stands for an id of this table, and the argument it came in. */
export interface IdArgument {
  readonly name: string
  readonly table: string
  readonly id: string
}

/** The same validators with `v.id` replaced by `v.string`, at every depth. */
export const idsAsTexts = (fields: PropertyValidators): PropertyValidators =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, asText(field)]))

function asText(validator: GenericValidator): GenericValidator {
  const relaxed = relax(validator)
  return validator.isOptional === 'optional' && relaxed !== validator ? v.optional(relaxed as never) : relaxed
}

function relax(validator: GenericValidator): GenericValidator {
  switch (validator.kind) {
    case 'id':
      return v.string()
    case 'array':
      return v.array(asText(validator.element) as never)
    case 'object':
      return v.object(idsAsTexts(validator.fields))
    case 'union':
      return v.union(...(validator.members.map(asText) as never[]))
    default:
      return validator
  }
}

/** Every id among the arguments. They fit `idsAsTexts(fields)` already. */
export function idsAmong(fields: PropertyValidators, args: Readonly<Record<string, unknown>>): IdArgument[] {
  return Object.entries(fields).flatMap(([name, field]) => idsIn(field, args[name], name))
}

function idsIn(validator: GenericValidator, value: unknown, name: string): IdArgument[] {
  switch (validator.kind) {
    case 'id':
      return typeof value === 'string' ? [{ name, table: validator.tableName, id: value }] : []
    case 'array':
      return Array.isArray(value) ? value.flatMap((one) => idsIn(validator.element, one, name)) : []
    case 'object':
      return isObject(value) ? idsAmong(validator.fields, value) : []
    case 'union':
      return validator.members.flatMap((member: GenericValidator) => idsIn(member, value, name))
    default:
      return []
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws NOT_FOUND for a text that is no id of its table. Whether the row exists and whose it is, is the function's to find out. */
export function refuseOtherIds(ctx: { db: QueryCtx['db'] }, ids: readonly IdArgument[]): void {
  for (const { name, table, id } of ids) {
    const known = table === '_storage' ? ctx.db.system.normalizeId('_storage', id) : ctx.db.normalizeId(table as TableNames, id)
    if (known === null) refuse('NOT_FOUND', `${name} is no id of ${table}: pass one that a function returned.`)
  }
}
