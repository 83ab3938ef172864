/**
 * Installs the pinned OpenClaw into the checkout's ignored tools folder, once. It is not a dependency of the workspace, because it is
 * larger than everything else together (about 770 MB) and `--fake-gateway`, the unit tests and an external gateway do without it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, statfs } from 'node:fs/promises'
import path from 'node:path'
import { OPENCLAW_VERSION } from './version.ts'

/** OpenClaw's tree, npm's cache of it, and some air. */
const NEEDED_BYTES = 1_500_000_000

export interface InstallOptions {
  /** The checkout. */
  readonly root: string
  readonly version?: string
  /** Called with one line before anything slow. */
  readonly onProgress: (line: string) => void
  readonly signal?: AbortSignal
}

export function openclawEntry(root: string, version: string = OPENCLAW_VERSION): string {
  return path.join(root, '.tools', `openclaw-${version}`, 'node_modules', 'openclaw', 'openclaw.mjs')
}

/**
 * @returns the absolute path of `openclaw.mjs`, for `OPENCLAW_BIN`
 * @throws Error with one sentence that says what to do: no npm, no space, no network
 */
export async function installOpenclaw({ root, version = OPENCLAW_VERSION, onProgress, signal }: InstallOptions): Promise<string> {
  const entry = openclawEntry(root, version)
  if (existsSync(entry)) return entry
  const tools = path.join(root, '.tools')
  await mkdir(tools, { recursive: true })
  const space = await statfs(tools)
  const free = space.bavail * space.bsize
  if (free < NEEDED_BYTES) {
    const [need, have] = [NEEDED_BYTES, free].map((bytes) => (bytes / 1e9).toFixed(1))
    throw new Error(
      `OpenClaw needs ${need} GB of free disk space in ${tools} and there are ${have} GB; free some and run it again.`,
    )
  }
  onProgress(`fetching OpenClaw ${version} into .tools (once, about a minute, 770 MB)`)
  // Installed beside its place and moved there whole, so that an interrupted install never looks finished.
  const partial = path.join(tools, `openclaw-${version}.partial-${process.pid}`)
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial)
  try {
    const args = ['install', '--prefix', partial, '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error']
    await npm([...args, `openclaw@${version}`], signal)
    const target = path.dirname(path.dirname(path.dirname(entry)))
    await rm(target, { recursive: true, force: true })
    await rename(partial, target)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return entry
}

function npm(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    // npm must run under this Node: OpenClaw refuses to install under an older one.
    const env = { ...process.env, PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}` }
    const child = spawn('npm', args, { stdio: ['ignore', 'pipe', 'pipe'], env, ...(signal ? { signal } : {}) })
    const said: string[] = []
    const keep = (chunk: Buffer) => said.push(chunk.toString())
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error('npm is not installed; install Node.js with npm and run it again.') : error),
    )
    child.on('close', (code) => {
      if (code === 0) return resolve()
      const lines = said.join('').trim().split('\n').slice(-8).join('\n  ')
      reject(new Error(`npm could not install OpenClaw; check the network and run it again. It said:\n  ${lines}`))
    })
  })
}
