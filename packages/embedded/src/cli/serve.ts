/** Serves until SIGTERM or SIGINT, then stops accepting, finishes the queue, checkpoints and exits 0. */
import { forTerminal } from '@mission-control/shared/unseen'
import { flushCompileCache } from 'node:module'
import { createEmbeddedConvex } from '../embedded.ts'
import type { Log } from '../engine.ts'
import { loadFunctions } from '../load.ts'

export interface ServeOptions {
  functions: string
  port: number
  sitePort: number
  host: string
  allowHost: string[]
  allowOrigin: string[]
  dataDir: string
  instanceName: string
  maxUploadMib: number
}

/** The first line on stdout, for whoever started this process. */
export interface ReadyLine {
  ready: true
  url: string
  siteUrl: string
  port: number
  sitePort: number
  dataDir: string
  pid: number
}

const log: Log = {
  info: (message, fields) => write('info', message, fields),
  warn: (message, fields) => write('warn', message, fields),
  error: (message, fields) => write('error', message, fields),
}

function write(level: string, message: string, fields?: Record<string, unknown>): void {
  process.stderr.write(`${forTerminal(JSON.stringify({ level, message, ...fields }))}\n`)
}

export async function serve(options: ServeOptions): Promise<number> {
  // Functions run in this process: what one leaks must not take everyone's backend down.
  process.on('unhandledRejection', (error) => {
    log.error('a promise nobody awaited was rejected', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  })
  const stop = stopSignal()
  const functions = await loadFunctions(options.functions)
  const env: Record<string, string | undefined> = { ...process.env }
  const backend = await createEmbeddedConvex({
    functions,
    dataDir: options.dataDir,
    env,
    log,
    maxUploadBytes: options.maxUploadMib * 1024 * 1024,
  })
  try {
    const guard = {
      host: options.host,
      allowedHosts: options.allowHost,
      allowedOrigins: options.allowOrigin,
      instanceName: options.instanceName,
    }
    const api = await backend.listen({ ...guard, port: options.port })
    const site = await backend.listenSite({ ...guard, port: options.sitePort })
    env['CONVEX_CLOUD_URL'] = api.url
    env['CONVEX_SITE_URL'] = site.url
    const ready: ReadyLine = {
      ready: true,
      url: api.url,
      siteUrl: site.url,
      port: api.port,
      sitePort: site.port,
      dataDir: options.dataDir,
      pid: process.pid,
    }
    process.stdout.write(`${JSON.stringify(ready)}\n`)
    flushCompileCache() // written at exit otherwise, and a process that is killed has none
    log.info('stopping', { signal: await stop })
  } finally {
    await backend.close()
  }
  return 0
}

/** Resolves with the first stop signal. A second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        resolve(signal)
        process.once(signal, () => process.exit(1))
      })
    }
  })
}
