/** Search indexes as a schema defines them and as the engine knows them. Refuses what Convex refuses at a push. */
import type { IndexInfo } from '../storage/catalog.ts'

export interface SearchIndexDefinition {
  name: string
  searchField: string
  /** Sorted, each once. */
  filterFields: readonly string[]
  /** Not built, and refused when it is queried. */
  staged: boolean
}
/** Stands for the index in read and write sets too; its id is below zero, apart from those of ordinary indexes. */
export interface SearchIndexInfo extends IndexInfo {
  searchField: string
  filterFields: readonly string[]
  /** Null while the index is staged. */
  fts: string | null
}
export interface ExportedSearchIndex {
  indexDescriptor: string
  searchField: string
  filterFields: string[]
}

const MAX_FILTER_FIELDS = 16 // production's

/** @throws Error that names table and index */
export function searchIndexDefinitions(
  table: string,
  active: readonly ExportedSearchIndex[],
  staged: readonly ExportedSearchIndex[],
): SearchIndexDefinition[] {
  const all = [...active.map((index) => define(table, index, false)), ...staged.map((index) => define(table, index, true))]
  const sources = new Map<string, string>()
  for (const { name, searchField, filterFields } of all) {
    const source = JSON.stringify([searchField, filterFields])
    const twin = sources.get(source)
    if (twin !== undefined)
      throw new Error(`Search indexes ${table}.${twin} and ${table}.${name} have the same fields: remove one of them.`)
    sources.set(source, name)
  }
  return all
}

function define(table: string, exported: ExportedSearchIndex, staged: boolean): SearchIndexDefinition {
  const name = exported.indexDescriptor
  const filterFields = [...new Set(exported.filterFields)].sort()
  if (filterFields.length > MAX_FILTER_FIELDS)
    throw new Error(`Search index ${table}.${name} has more than ${MAX_FILTER_FIELDS} filter fields.`)
  for (const field of [exported.searchField, ...filterFields]) {
    if (typeof field !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*$/.test(field))
      throw new Error(
        `Search index ${table}.${name}: ${JSON.stringify(field)} is not a field path, like "title" or "author.name".`,
      )
  }
  return { name, searchField: exported.searchField, filterFields, staged }
}
