/**
 * Who is process 4711? A pid alone is no answer, because the system gives it to somebody else after the process died: pid and
 * start time together are.
 */
import { execFile } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Something that is equal exactly when it is the same process; null when there is no such process (a zombie counts as gone). */
export async function startTimeOf(pid: number): Promise<string | null> {
  return process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid)
}

/** Every living descendant of a process, nearest first. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const children = childrenByParent(process.platform === 'linux' ? await linuxParents() : await psParents())
  const found: number[] = []
  const queue = [pid]
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const child of children.get(parent) ?? []) {
      found.push(child)
      queue.push(child)
    }
  }
  return found
}

interface LinuxStat {
  readonly state: string
  readonly parent: number
  /** Clock ticks since boot. */
  readonly start: string
}

async function linuxStat(pid: number): Promise<LinuxStat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (text === null) return null
  // The process name is in brackets and may itself contain blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parent: Number(fields[1]), start: fields[19] ?? '' }
}

async function linuxStartTime(pid: number): Promise<string | null> {
  const stat = await linuxStat(pid)
  if (stat === null || stat.state === 'Z' || stat.state === 'X') return null
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  return `${boot}:${stat.start}`
}

async function linuxParents(): Promise<[pid: number, parent: number][]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(names.map(async (name) => [Number(name), await linuxStat(Number(name))] as const))
  return stats.flatMap(([pid, stat]) => (stat === null || stat.state === 'Z' ? [] : [[pid, stat.parent]]))
}

async function psStartTime(pid: number): Promise<string | null> {
  const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const [, state, start] = /^(\S+)\s+(.+?)\s*$/.exec(stdout.trim()) ?? []
  return state === undefined || state.startsWith('Z') ? null : (start ?? null)
}

async function psParents(): Promise<[pid: number, parent: number][]> {
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid='])
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return pid === undefined || parent === undefined ? [] : [[pid, parent]]
  })
}

function childrenByParent(pairs: readonly (readonly [number, number])[]): Map<number, number[]> {
  const children = new Map<number, number[]>()
  for (const [pid, parent] of pairs) children.set(parent, [...(children.get(parent) ?? []), pid])
  return children
}
