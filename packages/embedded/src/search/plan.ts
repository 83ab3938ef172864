/** From a serialized search to an FTS5 expression made of letters and digits only. Refuses what Convex refuses, in similar words. */
import { FunctionError } from '../errors.ts'
import type { TableInfo } from '../storage/catalog.ts'
import { AFTER_ALL_KEYS, BEFORE_ALL_KEYS } from '../values/keys.ts'
import type { Json } from '../values/json.ts'
import type { Operator } from '../queries/plan.ts'
import type { SearchIndexInfo } from './definition.ts'
import { filterTerm } from './entries.ts'
import { tokenize } from './tokenize.ts'

export type SearchExpression = { type: 'Search'; fieldPath: string; value: Json } | { type: 'Eq'; fieldPath: string; value: Json }

/** Candidates in order of relevance are keys in ascending order, so a page narrows a search as it narrows a range. */
export interface SearchPlan {
  search: {
    index: SearchIndexInfo
    fts: string
    /** Null when the text has no terms: then nothing matches. */
    match: string | null
  }
  low: Buffer
  high: Buffer
  order: 'asc'
  operators: Operator[]
}

const MAX_TERMS = 16 // production's; further ones are left out
const MAX_FILTERS = 8 // production's

export function planSearch(
  table: TableInfo,
  index: string,
  filters: readonly SearchExpression[],
  operators: Operator[],
): SearchPlan {
  const name = `${table.name}.${index}`
  const info = table.searchIndexes.get(index)
  if (!info) {
    throw new FunctionError(table.indexes.has(index) ? `Index ${name} is not a search index.` : `Index ${name} not found.`)
  }
  if (info.fts === null) {
    throw new FunctionError(`Index ${name} is staged and cannot be queried: remove \`staged: true\` from it in the schema.`)
  }
  let text: string | null = null
  const wanted: string[] = []
  for (const { type, fieldPath, value } of filters) {
    if (type === 'Eq') {
      if (!info.filterFields.includes(fieldPath))
        throw new FunctionError(
          `Search query against ${name} contains an equality filter on "${fieldPath}" but that field isn't indexed for filtering in \`filterFields\`.`,
        )
      wanted.push(filterTerm(info, fieldPath, value))
      continue
    }
    if (fieldPath !== info.searchField)
      throw new FunctionError(
        `Search query against ${name} contains a search filter against "${fieldPath}", which doesn't match the indexed \`searchField\` "${info.searchField}".`,
      )
    if (text !== null)
      throw new FunctionError(
        `Search query against ${name} contains multiple search filters against "${fieldPath}". Only one is allowed.`,
      )
    if (typeof value !== 'string')
      throw new FunctionError(`Search query against ${name}: the text to search for must be a string.`)
    text = value
  }
  if (text === null)
    throw new FunctionError(
      `Search query against ${name} does not contain any search filters. You must include a search filter like \`q.search("${info.searchField}", searchText)\`.`,
    )
  if (wanted.length > MAX_FILTERS)
    throw new FunctionError(
      `Search query against ${name} has too many filter conditions. Max: ${MAX_FILTERS} Actual: ${wanted.length}`,
    )
  return {
    search: { index: info, fts: info.fts, match: expression(tokenize(text, MAX_TERMS), wanted) },
    low: BEFORE_ALL_KEYS,
    high: AFTER_ALL_KEYS,
    order: 'asc',
    operators,
  }
}

/** Any of the terms, the last one also as the beginning of a word (a whole word counts twice), and all of the filters. */
function expression(terms: readonly string[], filters: readonly string[]): string | null {
  const last = terms.at(-1)
  if (last === undefined) return null
  const any = [...[...new Set(terms)].map((term) => `"${term}"`), `"${last}" *`].join(' OR ')
  const all = [...new Set(filters)].map((term) => `"${term}"`).join(' AND ')
  return all === '' ? `text : (${any})` : `filters : (${all}) AND text : (${any})`
}
