/** What a deployment offers its admin besides functions: the CLI's system queries, exports and imports. */
import type { Random } from '@mission-control/shared/clock'
import type { Writable } from 'node:stream'
import type { Log } from '../engine.ts'
import { NotSupportedError, RequestError } from '../errors.ts'
import type { Modules, Registry } from '../functions/registry.ts'
import type { Files } from '../files/files.ts'
import { exportZip } from '../operations/export.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Connection } from '../storage/connection.ts'
import type { LiveSets } from '../sync/live.ts'
import type { Sequence } from '../transactions/sequence.ts'
import type { Writer } from '../transactions/writer.ts'
import { createImports } from './imports.ts'
import { systemModules } from './system-queries.ts'

export interface DeploymentDeps {
  env: Readonly<Record<string, string | undefined>>
  random: Random
  log: Log
  /** The data folder and read-only connections of one's own, or null where there is none (memory). */
  disk: { folder: string; openReader: () => Connection } | null
  files: Files
  parts(): { catalog: Catalog; registry: Registry; writer: Writer; sequence: Sequence; live: LiveSets }
}
export type Deployment = ReturnType<typeof createDeployment>

/** `parts` are asked for only after the engine is put together. */
export function createDeployment(deps: DeploymentDeps) {
  let exported: { ts: bigint; includeStorage: boolean } | null = null
  let made: ReturnType<typeof createImports> | undefined
  const imports = () => {
    const { writer, sequence, live } = deps.parts()
    return (made ??= createImports({
      writer,
      sequence,
      files: deps.files,
      random: deps.random,
      log: deps.log,
      changed: () => live.rerunAll(),
    }))
  }
  const modules: Modules = systemModules({
    catalog: () => deps.parts().catalog,
    registry: () => deps.parts().registry,
    imports,
    lastExport: () => exported?.ts ?? null,
    cloudUrl: () => deps.env['CONVEX_CLOUD_URL'] ?? '',
  })

  return {
    modules,
    env: deps.env,
    imports,
    /** Notes that an export is wanted; its data is read when it is fetched. */
    requestExport(includeStorage: boolean): void {
      if (!deps.disk) throw refused('an export of a backend in memory')
      exported = { ts: deps.parts().sequence.lastTs(), includeStorage }
      deps.parts().live.rerunAll()
    },
    /** Writes the zip of one snapshot to `out`. */
    async export(ts: string, out: Writable): Promise<void> {
      if (!deps.disk || exported?.ts.toString() !== ts)
        throw new RequestError(404, 'NotFound', 'There is no such export: ask for one first.')
      const { folder, openReader } = deps.disk
      const connection = openReader()
      try {
        await exportZip(connection, out, exported.includeStorage ? { filesOf: folder } : {})
      } finally {
        connection.close()
      }
    },
    close: () => made?.close(),
  }
}

function refused(what: string): RequestError {
  return new RequestError(400, 'NotSupported', new NotSupportedError(what).message)
}
