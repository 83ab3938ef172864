/** An account with a row in every table of the schema, so that what must concern all of them is tried with all of them. */
import type { Id, TableNames } from '../../convex/_generated/dataModel.js'
import type { MutationCtx } from '../../convex/_generated/server.js'
import schema from '../../convex/schema.js'
import type { Backend } from './backend.ts'
import type { ValidatorJson } from './public-functions.ts'

export const OWNED_TABLES = (Object.keys(schema.tables) as TableNames[]).filter((table) => table !== 'accounts')

const documentTypes: Readonly<Record<string, ValidatorJson>> = Object.fromEntries(
  (
    JSON.parse((schema as unknown as { export(): string }).export()) as {
      tables: { tableName: string; documentType: ValidatorJson }[]
    }
  ).tables.map(({ tableName, documentType }) => [tableName, documentType]),
)

type Row = { readonly _id: string; readonly accountId: Id<'accounts'> }

/** All rows of the account, by table; tables without any are left out. */
export async function rowsOfAccount(backend: Backend, accountId: Id<'accounts'>): Promise<Record<string, Row[]>> {
  return await backend.run(async (ctx) => {
    const found: Record<string, Row[]> = {}
    for (const table of OWNED_TABLES) {
      const rows = ((await ctx.db.query(table).collect()) as unknown as Row[]).filter((row) => row.accountId === accountId)
      if (rows.length > 0) found[table] = rows
    }
    return found
  })
}

/**
 * Adds a row to each table that has none of the account. A stored file comes with it.
 * @returns one id of each table, and of the account
 */
export async function fillTables(backend: Backend, accountId: Id<'accounts'>): Promise<Record<string, string>> {
  const ids: Record<string, string> = { accounts: accountId }
  for (const [table, [row]] of Object.entries(await rowsOfAccount(backend, accountId))) if (row) ids[table] = row._id
  return await backend.run(async (ctx) => {
    ids['_storage'] ??= await ctx.storage.store(new Blob([`a file of ${accountId}`]))
    // Some rows name others: whoever comes too early is tried again.
    for (let missing = OWNED_TABLES.filter((table) => !(table in ids)); missing.length > 0;) {
      const before = missing.length
      for (const table of missing) {
        const row = valueOf(documentTypes[table] ?? { type: 'null' }, ids)
        if (row !== undefined) ids[table] = await insertRow(ctx, table, row)
      }
      missing = missing.filter((table) => !(table in ids))
      if (missing.length === before) throw new Error(`These tables wait for each other: ${missing.join(', ')}.`)
    }
    return ids
  })
}

const insertRow = async (ctx: MutationCtx, table: TableNames, row: unknown): Promise<string> =>
  await ctx.db.insert(table, row as never)

/** A value the validator accepts; `undefined` while an id in it is not known. */
function valueOf(validator: ValidatorJson, ids: Readonly<Record<string, string>>): unknown {
  switch (validator.type) {
    case 'object': {
      const fields = Object.entries(validator.value).filter(([, field]) => !field.optional)
      const values = fields.map(([key, { fieldType }]) => [key, valueOf(fieldType, ids)] as const)
      return values.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(values)
    }
    case 'union': {
      const none = validator.value.some(({ type }) => type === 'null')
      return none ? null : validator.value[0] && valueOf(validator.value[0], ids)
    }
    case 'array':
      return []
    case 'literal':
      return validator.value
    case 'id':
      return ids[validator.tableName]
    case 'string':
      return 'filled'
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      throw new Error(`No row can be made up with ${validator.type}.`)
  }
}
