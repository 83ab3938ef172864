/** This machine: Node, folders, ports. Changes nothing. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { portTaken } from '@mission-control/host/ports'
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

export async function checkPort(
  name: string,
  port: number,
  host: string,
  variable: string,
  running: number | 'unknown' | null,
): Promise<CheckResult> {
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

/** A file where the path needs a folder. */
function blockingFile(folder: string): string | null {
  for (let part = folder; path.dirname(part) !== part; part = path.dirname(part)) {
    if (existsSync(part)) return isFolder(part) ? null : part
  }
  return null
}

const isFolder = (folder: string): boolean => statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false
