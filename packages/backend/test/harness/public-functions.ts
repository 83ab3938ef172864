/** Enumerates the built functions and makes up valid arguments for each, so that a new one is tested without being listed. */
import type { Functions } from '@mission-control/embedded'

export interface PublicFunction {
  /** "dir/module:name" */
  readonly path: string
  readonly kind: 'query' | 'mutation' | 'action'
  readonly args: ValidatorJson
}

interface Registered {
  isPublic?: boolean
  isQuery?: boolean
  isMutation?: boolean
  isAction?: boolean
  isHttp?: boolean
  exportArgs(): string
  /** With its ids as such, where they are registered as texts (lib/ids.ts). */
  declaredArgs?: () => string
  exportReturns(): string
}

export function publicFunctions(functions: Functions): PublicFunction[] {
  return registered(functions).flatMap(({ path, fn }) => {
    if (!fn.isPublic) return []
    const kind = fn.isQuery ? 'query' : fn.isMutation ? 'mutation' : 'action'
    return [{ path, kind, args: JSON.parse((fn.declaredArgs ?? fn.exportArgs)()) as ValidatorJson } as const]
  })
}

/** What crons, actions and other functions call, by themselves or scheduled. */
export function internalMutations(functions: Functions): { readonly path: string; readonly args: ValidatorJson }[] {
  return registered(functions).flatMap(({ path, fn }) =>
    fn.isMutation && !fn.isPublic ? [{ path, args: JSON.parse(fn.exportArgs()) as ValidatorJson }] : [],
  )
}

/** Functions, public or internal, without validators of both arguments and result. */
export const withoutValidators = (functions: Functions): string[] =>
  registered(functions)
    .filter(({ fn }) => (JSON.parse(fn.exportArgs()) as ValidatorJson).type !== 'object' || fn.exportReturns() === 'null')
    .map(({ path }) => path)

function registered(functions: Functions): { path: string; fn: Registered }[] {
  return Object.entries(functions.modules).flatMap(([module, namespace]) =>
    Object.entries(namespace as Record<string, unknown>).flatMap(([name, value]) => {
      const fn = value as Registered
      const known = typeof value === 'function' && (fn.isQuery ?? fn.isMutation ?? fn.isAction ?? fn.isHttp)
      return known ? [{ path: `${module}:${name}`, fn }] : []
    }),
  )
}

export type ValidatorJson =
  | { type: 'null' | 'number' | 'bigint' | 'boolean' | 'string' | 'bytes' | 'any' }
  | { type: 'literal'; value: unknown }
  | { type: 'id'; tableName: string }
  | { type: 'array'; value: ValidatorJson }
  | { type: 'object'; value: Record<string, { fieldType: ValidatorJson; optional: boolean }> }
  | { type: 'union'; value: ValidatorJson[] }
  | { type: 'record' }

/** Ids of one account's rows: by table for validated ids, and by argument name for the plain strings of service functions. */
export interface Ids {
  readonly byTable: Readonly<Record<string, string>>
  readonly byName: Readonly<Record<string, unknown>>
}

/** A value the validator accepts. */
export function sample(validator: ValidatorJson, ids: Ids, name = ''): unknown {
  switch (validator.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(validator.value)
          .filter(([, field]) => !field.optional)
          .map(([key, field]) => [key, key in ids.byName ? ids.byName[key] : sample(field.fieldType, ids, key)]),
      )
    case 'array':
      return [sample(validator.value, ids, name)]
    case 'union':
      return validator.value[0] ? sample(validator.value[0], ids, name) : null
    case 'literal':
      return validator.value
    case 'id':
      return ids.byTable[validator.tableName] ?? unknownTable(validator.tableName)
    case 'string':
      return name === 'slug' ? 'sampled' : 'sample'
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      throw new Error(`No sample for ${validator.type}.`)
  }
}

function unknownTable(table: string): never {
  throw new Error(`The fixture has no row of "${table}": add one, so that functions that take its id are tested.`)
}
