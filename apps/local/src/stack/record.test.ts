import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { isSameProcess, nameProcess } from '@mission-control/host/processes'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { endLeftovers, readRecord, runningStack, writeRecord } from './record.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-record-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const dead = { pid: process.pid, startedAt: 'another life of this pid' }
const record = (owner: { pid: number; startedAt: string | null }) => ({
  ...{ owner, kind: 'demo' as const, parts: [], backendUrl: 'http://127.0.0.1:1', healthUrl: 'http://127.0.0.1:2' },
  ...{ accountId: null, taskId: null },
})

async function withGateway(test: (gateway: { pid: number; startedAt: string | null }) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore', detached: true })
  await once(child, 'spawn')
  const gateway = nameProcess(child.pid ?? 0)
  const state = path.join(folder, 'runtime', 'openclaw')
  mkdirSync(state, { recursive: true })
  writeFileSync(path.join(state, 'gateway.process.json'), JSON.stringify({ pid: gateway.pid, startTime: gateway.startedAt }))
  try {
    await test(gateway)
  } finally {
    child.kill('SIGKILL')
  }
}

it('ends the gateway that a killed stack left behind, before its folder is emptied', async () => {
  await withGateway(async (gateway) => {
    writeRecord(folder, record(dead))
    expect(await endLeftovers(folder, systemClock)).toEqual(['gateway'])
    expect(isSameProcess(gateway)).toBe(false)
    expect(readRecord(folder)).toBeNull()
  })
})

it('touches nothing of a stack whose owner lives', async () => {
  await withGateway(async (gateway) => {
    writeRecord(folder, record(nameProcess(process.pid)))
    expect(await endLeftovers(folder, systemClock)).toEqual([])
    expect(isSameProcess(gateway)).toBe(true)
    expect(runningStack(folder)).not.toBeNull()
  })
})
