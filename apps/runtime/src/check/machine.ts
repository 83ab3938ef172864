/** This machine: Node, folders, ports. Changes nothing. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { isAlive } from '@mission-control/host/processes'
import { portTaken } from '@mission-control/host/ports'
import { OPENCLAW_MIN_NODE } from '@mission-control/openclaw/version'
import { isRecentEnough } from '@mission-control/openclaw/supervisor/supervisor'
import type { RuntimeConfig } from '../config/load.ts'
import type { CheckResult } from './result.ts'
import { fail, pass } from './result.ts'

export function checkNode(): CheckResult {
  const { node } = process.versions
  return isRecentEnough(node, OPENCLAW_MIN_NODE)
    ? pass('node', `${node}`)
    : fail('node', `${node} is older than ${OPENCLAW_MIN_NODE}, which OpenClaw needs`, `Start the runtime with Node ${OPENCLAW_MIN_NODE} or newer.`, 'configuration')
}

export function checkFolder(name: string, folder: string, variable: string): CheckResult {
  let existing = folder
  while (!isFolder(existing) && path.dirname(existing) !== existing) existing = path.dirname(existing)
  try {
    accessSync(existing, constants.W_OK | constants.X_OK)
    return pass(name, `${folder} ${existing === folder ? 'can be written' : 'can be created'}`)
  } catch {
    return fail(name, `${existing} cannot be written by this user`, `Correct its owner, or set ${variable} to another folder.`, 'configuration')
  }
}

/** The pid of the runtime that holds the data folder, as far as one can tell without taking the lock. */
export function runningRuntime({ dataDir }: RuntimeConfig): number | null {
  try {
    const pid = Number(readFileSync(path.join(dataDir, 'runtime.pid'), 'utf8'))
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? pid : null
  } catch {
    return null
  }
}

export async function checkPort(name: string, port: number, host: string, variable: string, running: number | null): Promise<CheckResult> {
  if (port === 0) return pass(name, 'a free port is picked at the start')
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    return pass(name, `${host}:${port} is free`)
  } catch (error) {
    if (running !== null) return pass(name, `${host}:${port} is in use, and a runtime of this folder runs (pid ${running})`)
    const { code, message } = error as NodeJS.ErrnoException
    const what = code === 'EADDRINUSE' ? portTaken(port, name, `set ${variable} to another one`) : message
    return fail(name, what, `Correct ${variable}.`, 'configuration')
  } finally {
    probe.close()
  }
}

const isFolder = (folder: string): boolean => statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false
