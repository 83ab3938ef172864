/** A PostgreSQL of our own for a few minutes: found where the system keeps it, in a temporary folder, reached by a socket in it only. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Clock } from '@mission-control/shared/clock'

const LOOK_MS = 50
const PATIENCE_MS = 60_000
const SOCKET = '.s.PGSQL.5432'

export interface Postgres extends AsyncDisposable {
  /** What it says of itself, e.g. `postgres (PostgreSQL) 15.8`. */
  readonly version: string
  readonly connectionString: string
}

/** The folder of `initdb` and `postgres`, or `null`: on the PATH, else where Debian puts the newest one. */
export function findPostgres(env: NodeJS.ProcessEnv): string | null {
  const debian = globSync('/usr/lib/postgresql/*/bin').sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const folders = [...(env['PATH'] ?? '').split(path.delimiter), ...debian.reverse()].filter((folder) => folder !== '')
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name)))) ?? null
}

/** @param bin folder of its programs. Its defaults stay: every commit is synced. */
export async function startPostgres(bin: string, clock: Clock, signal: AbortSignal): Promise<Postgres> {
  // The path of a socket may have 107 bytes: no deep folder.
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-pg-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  // It refuses to run as root.
  const who = process.getuid?.() === 0 ? ordinaryUser() : null
  if (who !== null) chownSync(folder, who.uid, who.gid)
  const options = { ...who, cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } }
  const data = path.join(folder, 'data')
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'bench', '--auth', 'trust', '--encoding', 'UTF8'], {
    ...options,
    stdio: 'pipe',
  })
  const server = spawn(path.join(bin, 'postgres'), ['-D', data, '-k', folder, '-c', 'listen_addresses='], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // Ctrl-C is ours to handle
  })
  let said = ''
  server.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)))
  const ended = once(server, 'exit')
  opened.defer(async () => {
    server.kill('SIGINT') // fast shutdown: clients are cut
    await ended
  })
  const deadline = clock.monotonic() + PATIENCE_MS
  // It says so when the socket is there and takes connections.
  while (!said.includes('database system is ready to accept connections') || !existsSync(path.join(folder, SOCKET))) {
    if (server.exitCode !== null || clock.monotonic() > deadline) throw new Error(`PostgreSQL does not start:\n${said}`)
    await clock.sleep(LOOK_MS, signal)
  }
  const version = execFileSync(path.join(bin, 'postgres'), ['--version'], { ...options, encoding: 'utf8' }).trim()
  const kept = opened.move()
  return {
    version,
    connectionString: `postgres://bench@${encodeURIComponent(folder)}/postgres`,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** `postgres` where the package made that user, else `nobody`. */
function ordinaryUser(): { uid: number; gid: number } {
  const idOf = (flag: '-u' | '-g', name: string) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: idOf('-u', name), gid: idOf('-g', name) }
    } catch {
      // There is no such user; the next one.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody.')
}
