/**
 * The queries the official CLI asks an admin's deployment, as ordinary query functions: they run on a snapshot, are tracked and
 * live like any other. Internal, so only the holder of the admin key reaches them. Others are refused with their names.
 */
import { internalQueryGeneric, paginationOptsValidator } from 'convex/server'
import { v } from 'convex/values'
import { NotSupportedError } from '../errors.ts'
import type { Modules, Registry } from '../functions/registry.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Imports } from './imports.ts'

export interface SystemQueryDeps {
  catalog(): Catalog
  registry(): Registry
  imports(): Imports
  /** Timestamp of the export asked for last, nanoseconds; null when there was none. */
  lastExport(): bigint | null
  cloudUrl(): string
}

export const SYSTEM_PREFIX = '_system/'

export function systemModules(deps: SystemQueryDeps): Modules {
  const tables = internalQueryGeneric({
    args: { paginationOpts: v.optional(paginationOptsValidator) },
    handler: () => ({
      page: [...deps.catalog().tables()].filter((table) => !table.system).map(({ name }) => ({ name })),
      isDone: true,
      continueCursor: '',
    }),
  })
  const tableData = internalQueryGeneric({
    args: {
      table: v.string(),
      order: v.optional(v.union(v.literal('asc'), v.literal('desc'))),
      paginationOpts: paginationOptsValidator,
    },
    handler: (ctx, { table, order, paginationOpts }) => {
      // As in production: a table nobody knows has no documents.
      if (!deps.catalog().table(table)) return { page: [], isDone: true, continueCursor: '' }
      const db = table.startsWith('_') ? ctx.db.system : ctx.db
      return db
        .query(table as never)
        .order(order ?? 'desc')
        .paginate(paginationOpts)
    },
  })
  const exportState = internalQueryGeneric({
    args: {},
    handler: () => {
      const ts = deps.lastExport()
      return ts === null ? null : { state: 'completed', start_ts: ts, complete_ts: ts, zip_object_key: '' }
    },
  })
  const importState = internalQueryGeneric({
    args: { importId: v.string() },
    handler: (_ctx, { importId }) => {
      const state = deps.imports().get(importId)
      if (!state) throw new Error('There is no such import.')
      return { state }
    },
  })
  const importStates = internalQueryGeneric({
    args: {},
    handler: () =>
      deps
        .imports()
        .list()
        .map((state) => ({ state })),
  })
  const apiSpec = internalQueryGeneric({
    args: {},
    handler: async () => {
      const found = await deps.registry().all()
      return found.map(({ path, kind, visibility, args, returns }) => ({
        identifier: path.replace(':', '.js:'),
        functionType: { query: 'Query', mutation: 'Mutation', action: 'Action' }[kind],
        visibility: { kind: visibility },
        args: args as never,
        returns: (returns ?? { type: 'any' }) as never,
      }))
    },
  })
  const environment = internalQueryGeneric({
    args: v.any() as never,
    handler: () => {
      throw new NotSupportedError('environment variables through the CLI (functions see the environment of the backend process)')
    },
  })
  return {
    '_system/cli/tables': { default: tables },
    '_system/cli/tableData': { default: tableData },
    '_system/cli/exports': { getLatest: exportState },
    '_system/cli/queryImport': { default: importState, list: importStates },
    '_system/cli/modules': { apiSpec },
    '_system/cli/convexUrl': { cloudUrl: internalQueryGeneric({ args: {}, handler: () => deps.cloudUrl() }) },
    '_system/cli/queryEnvironmentVariables': { default: environment, get: environment },
  }
}
