/** Who holds a port: so that "address in use" can name the process to stop instead of leaving the reader to search. */
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'

export interface PortHolder {
  readonly pid: number
  /** The command line, cut to 120 characters. */
  readonly command: string
}

const LISTEN = '0A'

/** @returns `null` when nobody listens on the port, or the system does not say who (not Linux, another user's process) */
export function portHolder(port: number): PortHolder | null {
  const inodes = new Set([...listenersIn('/proc/net/tcp', port), ...listenersIn('/proc/net/tcp6', port)])
  if (inodes.size === 0) return null
  for (const entry of listing('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    for (const fd of listing(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode && inodes.has(inode)) return { pid, command: commandLine(pid) }
    }
  }
  return null
}

/** One sentence for a port that cannot be listened on. `change` says how to choose another, e.g. "set HEALTH_PORT". */
export function portTaken(port: number, what: string, change: string): string {
  const holder = portHolder(port)
  const who = holder ? `process ${holder.pid} (${holder.command})` : 'another process'
  return `Port ${port}, needed for ${what}, is held by ${who}: stop that process or ${change}.`
}

function listenersIn(file: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return text(file)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === LISTEN)
    .flatMap((fields) => fields[9] ?? [])
}

const commandLine = (pid: number) => text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 120)

/** Processes come and go while we look, and other users' folders are closed to us: both mean "nothing to see here". */
function quietly<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
const text = (file: string) => quietly(() => readFileSync(file, 'utf8'), '')
const listing = (folder: string) => quietly(() => readdirSync(folder), [])
const link = (file: string) => quietly(() => readlinkSync(file), '')

/** A port that nobody listens on right now. Another process may still take it first; who listens on it must handle that. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
