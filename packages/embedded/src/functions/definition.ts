/** What a built backend hands to the engine, and how it is read. */
import { NotSupportedError } from '../errors.ts'
import { searchIndexDefinitions, type ExportedSearchIndex } from '../search/definition.ts'
import type { TableDefinition } from '../storage/catalog.ts'
import type { Json } from '../values/json.ts'
import type { Modules } from './registry.ts'

/** The default export of `schema.ts`, as `defineSchema` returns it. */
export interface SchemaLike {
  tables: Record<string, object>
  schemaValidation?: boolean
}
/** The default export of `crons.ts`, as `cronJobs()` returns it. */
export interface CronsLike {
  crons: Record<string, { name: string; args: unknown; schedule: object }>
}
export interface Functions {
  schema: SchemaLike
  modules: Modules
  crons?: CronsLike | undefined
  http?: unknown
  auth?: unknown
}
interface ExportedTable {
  indexes: { indexDescriptor: string; fields: string[] }[]
  searchIndexes?: ExportedSearchIndex[]
  stagedSearchIndexes?: ExportedSearchIndex[]
  vectorIndexes?: { indexDescriptor: string }[]
  stagedVectorIndexes?: { indexDescriptor: string }[]
  documentType: Json
}

const MAX_INDEXES_PER_TABLE = 32
const MAX_FIELDS_PER_INDEX = 16

export function tableDefinitions(schema: SchemaLike): TableDefinition[] {
  return Object.entries(schema.tables).map(([name, table]) => {
    const exported = (table as { export(): ExportedTable }).export()
    if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name))
      throw new Error(`"${name}" is not a table name: letters, digits and underscores only.`)
    const [vector] = [...(exported.vectorIndexes ?? []), ...(exported.stagedVectorIndexes ?? [])]
    if (vector) throw new NotSupportedError(`vector indexes (${name}.${vector.indexDescriptor})`)
    const searchIndexes = searchIndexDefinitions(name, exported.searchIndexes ?? [], exported.stagedSearchIndexes ?? [])
    if (exported.indexes.length + searchIndexes.length > MAX_INDEXES_PER_TABLE)
      throw new Error(`Table ${name} has more than ${MAX_INDEXES_PER_TABLE} indexes.`)
    for (const { indexDescriptor, fields } of exported.indexes) {
      if (fields.length > MAX_FIELDS_PER_INDEX)
        throw new Error(`Index ${name}.${indexDescriptor} has more than ${MAX_FIELDS_PER_INDEX} fields.`)
    }
    for (const search of searchIndexes) {
      if (exported.indexes.some(({ indexDescriptor }) => indexDescriptor === search.name))
        throw new Error(`Table ${name} has two indexes with the name ${search.name}: rename one of them.`)
    }
    return {
      name,
      searchIndexes,
      indexes: exported.indexes.map(({ indexDescriptor, fields }) => ({ name: indexDescriptor, fields })),
      documentType: schema.schemaValidation === false ? { type: 'any' } : exported.documentType,
    }
  })
}
