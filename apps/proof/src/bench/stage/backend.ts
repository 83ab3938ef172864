/** The backend of the bench as it is in real life: a process of its own, on disk, called over HTTP. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { ConvexHttpClient } from 'convex/browser'
import type { UserIdentityAttributes } from 'convex/server'
import type { EmbeddedConvex } from '@mission-control/embedded'
import { createEmbeddedConvex, loadFunctions } from '@mission-control/embedded'
import type { ReadyLine } from '@mission-control/embedded/cli/serve'
import { OWNER } from './account.ts'

/** Present in the official client and used by Convex's own CLI, but not in its published types. */
interface AdminAuth {
  setAdminAuth(adminKey: string, identity: UserIdentityAttributes): void
}

export interface BenchBackend extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  /** Calls as the owner of the accounts. */
  readonly owner: ConvexHttpClient
}

export interface BackendOptions {
  /** The built functions. */
  readonly functions: string
  readonly dataDir: string
}

/** Fills the data folder with a backend in this process, which is closed again. */
export async function fill<T>({ functions, dataDir }: BackendOptions, body: (backend: EmbeddedConvex) => Promise<T>): Promise<T> {
  const backend = await createEmbeddedConvex({ functions: await loadFunctions(functions), dataDir })
  try {
    return await body(backend)
  } finally {
    await backend.close()
  }
}

export async function startBackend({ functions, dataDir }: BackendOptions): Promise<BenchBackend> {
  const manifest = createRequire(import.meta.url).resolve('@mission-control/embedded/package.json')
  const program = path.join(path.dirname(manifest), 'bin/mission-control-backend.mjs')
  const child = spawn(
    process.execPath,
    [program, 'serve', '--functions', functions, '--data-dir', dataDir, '--port', '0', '--site-port', '0'],
    { env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)))
  const ended = once(child, 'exit')
  const early = ended.then(() => {
    throw new Error(`The backend ended before it was ready:\n${said}`)
  })
  early.catch(() => undefined)
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), early])) as [string]
  const { url } = JSON.parse(line) as ReadyLine
  const owner = new ConvexHttpClient(url, { logger: false })
  const adminKey = readFileSync(path.join(dataDir, 'admin-key'), 'utf8').trim()
  ;(owner as unknown as AdminAuth).setAdminAuth(adminKey, { ...OWNER })
  return {
    pid: child.pid ?? 0,
    url,
    owner,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}
