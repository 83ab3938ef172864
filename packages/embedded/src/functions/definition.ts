/** What a built backend hands to the engine, and how it is read. */
import { NotSupportedError } from '../errors.ts'
import { searchIndexDefinitions, type ExportedSearchIndex } from '../search/definition.ts'
import type { TableDefinition } from '../storage/catalog.ts'
import { checkTable } from '../validators/schema.ts'
import type { ValidatorJson } from '../validators/validate.ts'
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
  /** The default export of `auth.config.ts`, or a function that makes it from the engine's `env`. */
  auth?: unknown
}
interface ExportedTable {
  indexes: { indexDescriptor: string; fields: string[] }[]
  stagedDbIndexes?: { indexDescriptor: string; fields: string[] }[]
  searchIndexes?: ExportedSearchIndex[]
  stagedSearchIndexes?: ExportedSearchIndex[]
  vectorIndexes?: { indexDescriptor: string }[]
  stagedVectorIndexes?: { indexDescriptor: string }[]
  documentType: Json
  stagedDocumentType?: unknown
}

export function tableDefinitions(schema: SchemaLike): TableDefinition[] {
  return Object.entries(schema.tables).map(([name, table]) => {
    const exported = (table as { export(): ExportedTable }).export()
    if (exported.stagedDocumentType !== undefined) throw new NotSupportedError(`staged validators (table ${name})`)
    checkTable({
      name,
      indexes: [...exported.indexes, ...(exported.stagedDbIndexes ?? [])],
      otherIndexes: [
        ...(exported.searchIndexes ?? []),
        ...(exported.stagedSearchIndexes ?? []),
        ...(exported.vectorIndexes ?? []),
        ...(exported.stagedVectorIndexes ?? []),
      ],
      documentType: exported.documentType as unknown as ValidatorJson | null,
      schemaValidation: schema.schemaValidation !== false,
    })
    const [vector] = [...(exported.vectorIndexes ?? []), ...(exported.stagedVectorIndexes ?? [])]
    if (vector) throw new NotSupportedError(`vector indexes (${name}.${vector.indexDescriptor})`)
    const searchIndexes = searchIndexDefinitions(name, exported.searchIndexes ?? [], exported.stagedSearchIndexes ?? [])
    return {
      name,
      searchIndexes,
      indexes: exported.indexes.map(({ indexDescriptor, fields }) => ({ name: indexDescriptor, fields })),
      documentType: schema.schemaValidation === false ? { type: 'any' } : exported.documentType,
    }
  })
}
