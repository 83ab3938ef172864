/**
 * Telling processes apart. A pid alone proves nothing, because the system hands it out again; pid and start time together name one
 * process for good.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ProcessName {
  readonly pid: number
  /** Opaque; equal for the same process only. `null` where the system does not tell. */
  readonly startedAt: string | null
}

/** True while a process with this pid exists, be it ours or not. A zombie that nobody has reaped yet counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return procStat(pid)?.[0] !== 'Z'
}

export function nameProcess(pid: number): ProcessName {
  return { pid, startedAt: startTime(pid) }
}

/** True while this very process lives. */
export function isSameProcess(name: ProcessName): boolean {
  return isAlive(name.pid) && (name.startedAt === null || startTime(name.pid) === name.startedAt)
}

/** Fields of /proc/<pid>/stat after the command name, which may itself hold blanks and brackets; `null` where there is no /proc. */
function procStat(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function startTime(pid: number): string | null {
  // Field 22 of the line, the 20th after the name: clock ticks since boot.
  const ticks = procStat(pid)?.[19]
  if (ticks !== undefined) return ticks
  if (process.platform === 'linux') return null
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null
  } catch {
    return null
  }
}
