/** Starting and ending the gateway process, and nothing about gateways: it works on any program. */
import { spawn } from 'node:child_process'
import { open, mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '@mission-control/shared/clock'
import { descendantsOf, startTimeOf } from '@mission-control/host/processes'

/** A log larger than this is put aside (one generation) before the next start. */
const LOG_ROTATE_BYTES = 20_000_000

/** How much of the end of the log explains an exit. */
const LOG_TAIL_BYTES = 16_384

/** How often a process that is not our child is looked at; there is no event for it. */
const WATCH_INTERVAL_MS = 1000

/** How often a stopping process is looked at. */
const END_POLL_MS = 50

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
}

/** A running process, our child or one we adopted. */
export interface RunningProcess {
  readonly pid: number
  readonly startTime: string
  /** Resolves when it is gone. An adopted process leaves no exit code. */
  readonly ended: Promise<ProcessEnd>
  /** Where its part of the log begins, bytes: what earlier lives wrote explains nothing. */
  readonly logStart: number
}

export interface Command {
  readonly executable: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Takes stdout and stderr. A file, never a pipe: a pipe breaks when we die, and the gateway with it. */
  readonly logFile: string
}

/** Starts a process that outlives us: its own session, so that a Ctrl-C meant for us does not reach it. */
export async function startProcess(command: Command): Promise<RunningProcess> {
  await mkdir(dirname(command.logFile), { recursive: true })
  await rotate(command.logFile)
  const log = await open(command.logFile, 'a', 0o600)
  try {
    const logStart = (await log.stat()).size
    const child = spawn(command.executable, command.args, {
      cwd: command.cwd,
      env: command.env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    const ended = new Promise<ProcessEnd>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    const pid = child.pid ?? 0
    // Null: it ended already, which `ended` reports.
    return { pid, startTime: startTimeOf(pid) ?? 'gone', ended, logStart }
  } finally {
    await log.close()
  }
}

/** Takes over a living process of an earlier life; null when it is gone or the pid is somebody else's now. */
export async function adoptProcess(clock: Clock, pid: number, startTime: string): Promise<RunningProcess | null> {
  if (startTimeOf(pid) !== startTime) return null
  const watch = async (): Promise<ProcessEnd> => {
    while (startTimeOf(pid) === startTime) await clock.sleep(WATCH_INTERVAL_MS)
    return { code: null, signal: null }
  }
  return { pid, startTime, ended: watch(), logStart: 0 }
}

/**
 * SIGTERM, then SIGKILL after `graceMs`; the same for every descendant that is left. Resolves when all are gone. `force` skips
 * the first step.
 */
export async function endProcess(
  clock: Clock,
  { pid, startTime }: { pid: number; startTime: string },
  graceMs: number,
): Promise<void> {
  const family = new Map<number, string>([[pid, startTime]])
  const alive = async (member: number) => startTimeOf(member) === family.get(member)
  const gather = async () => {
    for (const descendant of descendantsOf(pid)) {
      const start = startTimeOf(descendant)
      if (start !== null) family.set(descendant, start)
    }
  }
  if (!(await alive(pid))) return killAll(clock, family, alive)
  await gather()
  send(pid, 'SIGTERM')
  const deadline = clock.monotonic() + graceMs
  while (clock.monotonic() < deadline && (await alive(pid))) {
    await gather()
    await clock.sleep(END_POLL_MS)
  }
  await killAll(clock, family, alive)
}

async function killAll(
  clock: Clock,
  family: ReadonlyMap<number, string>,
  alive: (pid: number) => Promise<boolean>,
): Promise<void> {
  for (;;) {
    const left: number[] = []
    for (const pid of family.keys()) if (await alive(pid)) left.push(pid)
    if (left.length === 0) return
    for (const pid of left) send(pid, 'SIGKILL')
    await clock.sleep(END_POLL_MS)
  }
}

/** What is left of the process group of a child of ours that died by itself. */
export function killGroup(pid: number): void {
  send(-pid, 'SIGKILL')
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // Gone in the meantime, which is what we want.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The last lines of a log, from `from` on; empty when there is none. */
export async function readLogTail(file: string, from: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => null)
  if (handle === null) return ''
  try {
    const { size } = await handle.stat()
    const start = Math.min(size, Math.max(from, size - LOG_TAIL_BYTES))
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await handle.close()
  }
}

async function rotate(file: string): Promise<void> {
  const size = (await stat(file).catch(() => null))?.size ?? 0
  if (size > LOG_ROTATE_BYTES) await rename(file, `${file}.1`)
}
