/** The user's own Docker through its command line: whatever `docker` and DOCKER_HOST mean to them is what is used. */
import { spawn } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../../../..')

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `docker ...` in the repository's root and waits for its end. Never rejects for an exit code. */
export function tryDocker(args: readonly string[], { show = false, env = {} } = {}): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn('docker', args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

/** @returns what it printed; rejects with its own words when it failed */
export async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryDocker(args)
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${stderr.trim()}`)
  return stdout.trim()
}

/** Why Docker cannot be used here, with what to do; null when it can. */
export async function whyNoDocker(): Promise<string | null> {
  try {
    const { code, stderr } = await tryDocker(['version', '--format', '{{.Server.Version}}'])
    if (code === 0) return null
    return `Docker is installed but its daemon does not answer: ${stderr.trim().split('\n').at(-1)}. Start it (or set DOCKER_HOST) and run this again.`
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return 'Docker is not installed: install Docker Engine or Docker Desktop. On a bare Debian machine deploy/bare-debian/README.md gets you one.'
  }
}

/** The name under which a container reaches this machine; Docker Desktop knows it by itself, Linux needs it said. */
export const HOST = 'host.docker.internal'
export const ADD_HOST: readonly string[] = ['--add-host', `${HOST}:host-gateway`]

/**
 * The address to listen on here so that a container reaches it as `HOST`. On Linux that name is an address of ours (the bridge's);
 * where it is nobody's here, Docker runs in a virtual machine and forwards to our loopback.
 */
export async function addressForContainers(image: string): Promise<string> {
  const lookup = `require('dns').lookup('${HOST}', { family: 4 }, (error, address) => console.log(error ? error.message : address))`
  const address = await docker('run', '--rm', ...ADD_HOST, '--entrypoint', 'node', image, '-e', lookup)
  const ours = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return ours.some((one) => one.address === address) ? address : '127.0.0.1'
}
