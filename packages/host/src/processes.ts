/**
 * Telling processes apart. A pid alone proves nothing, because the system hands it out again; pid and start time together name one
 * process for good.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessName {
  readonly pid: number
  /** Opaque; equal for the same process only. `null` when there was no such process. */
  readonly startedAt: string | null
}

export const nameProcess = (pid: number): ProcessName => ({ pid, startedAt: startTimeOf(pid) })

/** True while this very process lives. */
export const isSameProcess = ({ pid, startedAt }: ProcessName): boolean => startedAt !== null && startTimeOf(pid) === startedAt

/** Something that is equal exactly when it is the same process; `null` when there is no such process. A zombie counts as gone. */
export function startTimeOf(pid: number): string | null {
  return process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid)
}

/** Every living process below this one, nearest first. */
export function descendantsOf(pid: number): number[] {
  const children = Map.groupBy(process.platform === 'linux' ? linuxProcesses() : psProcesses(), ({ parent }) => parent)
  const found: number[] = []
  const queue = [pid]
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    const below = (children.get(parent) ?? []).map((child) => child.pid)
    found.push(...below)
    queue.push(...below)
  }
  return found
}

interface LinuxStat {
  readonly state: string
  readonly parent: number
  /** Clock ticks since boot. */
  readonly start: string
}

function linuxStat(pid: number): LinuxStat | null {
  const text = contentOf(`/proc/${pid}/stat`)
  if (text === null) return null
  // The process name is in brackets and may itself contain blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parent: Number(fields[1]), start: fields[19] ?? '' }
}

function linuxStartTime(pid: number): string | null {
  const stat = linuxStat(pid)
  if (stat === null || stat.state === 'Z' || stat.state === 'X') return null
  // Ticks count from boot: the same number may come again after the next one.
  return `${(contentOf('/proc/sys/kernel/random/boot_id') ?? '').trim()}:${stat.start}`
}

function linuxProcesses(): { pid: number; parent: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? linuxStat(Number(name)) : null
    return stat === null || stat.state === 'Z' ? [] : [{ pid: Number(name), parent: stat.parent }]
  })
}

function psStartTime(pid: number): string | null {
  const [, state, start] = /^(\S+)\s+(.+?)\s*$/.exec(ps('-o', 'stat=,lstart=', '-p', String(pid)).trim()) ?? []
  return state === undefined || state.startsWith('Z') ? null : (start ?? null)
}

function psProcesses(): { pid: number; parent: number }[] {
  return ps('-axo', 'pid=,ppid=')
    .split('\n')
    .flatMap((line) => {
      const [pid, parent] = line.trim().split(/\s+/).map(Number)
      return pid === undefined || parent === undefined ? [] : [{ pid, parent }]
    })
}

/** `ps` exits 1 when there is no such process: then it prints nothing. */
function ps(...args: string[]): string {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    if ((error as { status?: number | null }).status === 1) return ''
    throw error
  }
}

/** `null` when the process has gone meanwhile. */
function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
