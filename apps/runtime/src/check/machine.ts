/** This machine: Node, folders, ports. Changes nothing. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { portHolder } from '@mission-control/host/ports'
import { OPENCLAW_MIN_NODE } from '@mission-control/openclaw/version'
import { isRecentEnough } from '@mission-control/openclaw/supervisor/supervisor'
import type { CheckResult } from './result.ts'
import { fail, pass } from './result.ts'

export function checkNode(): CheckResult {
  const { node } = process.versions
  return isRecentEnough(node, OPENCLAW_MIN_NODE)
    ? pass('node', `${node}`)
    : fail(
        'node',
        `${node} is older than ${OPENCLAW_MIN_NODE}, which OpenClaw needs`,
        `Start the runtime with Node ${OPENCLAW_MIN_NODE} or newer.`,
        'configuration',
      )
}

export function checkFolder(name: string, folder: string, variable: string): CheckResult {
  let existing = folder
  while (!isFolder(existing) && path.dirname(existing) !== existing) existing = path.dirname(existing)
  const blocking = blockingFile(folder)
  if (blocking !== null) {
    return fail(name, `${blocking} is a file`, `Set ${variable} to a folder.`, 'configuration')
  }
  try {
    accessSync(existing, constants.W_OK | constants.X_OK)
    return pass(name, `${folder} ${existing === folder ? 'can be written' : 'can be created'}`)
  } catch {
    return fail(
      name,
      `${existing} cannot be written by this user`,
      `Correct its owner, or set ${variable} to another folder.`,
      'configuration',
    )
  }
}

export interface PortCheck {
  /** As people call it: "health port". */
  readonly name: string
  readonly port: number
  readonly host: string
  readonly variable: string
  /** The runtime that holds the data folder, and so may hold the port. */
  readonly running: number | 'unknown' | null
}

/** Exits as `start` does: a port that is taken may be free in a moment, an address that is not ours will not. */
export async function checkPort({ name, port, host, variable, running }: PortCheck): Promise<CheckResult> {
  if (port === 0)
    return pass(name, 'a free port is picked at the start; the first log line and health.json in the data folder name it')
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    return pass(name, `${host}:${port} is free`)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE')
      return fail(
        name,
        `nothing can listen on ${host}:${port} (${code ?? message})`,
        `Correct ${variable} and its host.`,
        'configuration',
      )
    const holder = portHolder(port)
    if (running !== null && (holder === null || running === 'unknown' || holder.pid === running))
      return pass(name, `${host}:${port} is in use by the runtime of this folder (pid ${running})`)
    const who = holder === null ? 'another process' : `process ${holder.pid} (${holder.command})`
    return fail(name, `${host}:${port} is held by ${who}`, `Stop that process, or set ${variable} to another port.`, 'failed')
  } finally {
    probe.close()
  }
}

/** A file where the path needs a folder. */
function blockingFile(folder: string): string | null {
  for (let part = folder; path.dirname(part) !== part; part = path.dirname(part)) {
    if (existsSync(part)) return isFolder(part) ? null : part
  }
  return null
}

const isFolder = (folder: string): boolean => statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false
