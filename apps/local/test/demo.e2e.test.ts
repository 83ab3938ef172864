import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { descendantsOf, isSameProcess, nameProcess } from '@mission-control/host/processes'
import { systemClock } from '@mission-control/host/clock'
import { openclawEntry } from '@mission-control/openclaw/install'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ROOT } from '../src/stack/entries.ts'
import { readRecord } from '../src/stack/record.ts'
import { mc } from './command.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-local-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const data = () => path.join(folder, 'data')

async function gone(processes: { pid: number; startedAt: string | null }[]): Promise<boolean> {
  const deadline = systemClock.monotonic() + 10_000
  while (processes.some(isSameProcess) && systemClock.monotonic() < deadline) await systemClock.sleep(50)
  return !processes.some(isSameProcess)
}

describe('./mc demo --fake-gateway', () => {
  it('prints one JSON object after the first reply, and exits 0', async () => {
    const { code, stdout, stderr } = await mc('demo', '--once', '--json', '--fake-gateway', '--data-dir', data()).finished
    expect(code, stderr).toBe(0)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({ agent: 'Wren', gateway: { real: false }, latencyMs: { commitToClaim: expect.any(Number) } })
    expect(result.reply.length).toBeGreaterThan(20)
    expect(result.latencyMs.commitToAccepted).toBeGreaterThanOrEqual(result.latencyMs.commitToClaim)
    expect(result.latencyMs.commitToSettled).toBeGreaterThanOrEqual(result.latencyMs.commitToAccepted)
  })

  it('keeps running, answers a second terminal, and leaves nothing behind on Ctrl-C', async () => {
    const demo = mc('demo', '--fake-gateway', '--data-dir', data())
    await demo.printed('Ctrl-C stops everything')
    const record = readRecord(data())
    expect(record?.parts.map((part) => part.name)).toEqual(['backend', 'fake gateway', 'runtime'])

    const said = await mc('say', '--data-dir', data(), '@lead what should we do next?').finished
    expect(said.code, said.stderr).toBe(0)
    expect(said.stdout).toMatch(/You +@lead what should we do next\?/)
    expect(said.stdout).toMatch(/Lena +/)

    const typo = await mc('say', '--data-dir', data(), '@leed hello').finished
    expect(typo.stdout).toContain('nobody here is called @leed; agents: @lead, @writer')
    const nowhere = await mc('say', '--data-dir', data(), '--task', 'nope', '@lead x').finished
    expect([nowhere.code, nowhere.stderr]).toEqual([1, 'mc: There is no task "nope" here.\n'])

    const second = await mc('demo', '--fake-gateway', '--data-dir', data()).finished
    expect(second.code).toBe(1)
    expect(second.stderr).toContain(`process ${demo.child.pid}`)

    const listed = await mc('run', '--data-dir', data(), 'agents:list').finished
    expect(JSON.parse(listed.stdout)).toHaveLength(2)
    const refused = await mc('run', '--data-dir', data(), 'agents:create', '{"slug": "Bad Slug", "name": "x"}').finished
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^mc: .*slug.*\n$/)
    const missing = await mc('run', '--data-dir', data(), 'agents:create', '{}').finished
    expect(missing.stderr).toMatch(/^mc: The field "\w+" is missing in the arguments\.\n$/)
    const unknown = await mc('run', '--data-dir', data(), 'nope:nope').finished
    expect(unknown.stderr).toMatch(/^mc: There is no public function "nope:nope".*\n$/)

    demo.child.kill('SIGINT')
    const { code, signal } = await demo.finished
    expect([code, signal]).toEqual([0, null])
    expect(await gone(record?.parts.map((part) => part.process) ?? [])).toBe(true)
    expect(existsSync(path.join(data(), 'stack.json'))).toBe(false)
  })

  it('ends what a killed terminal left behind', async () => {
    const killed = mc('demo', '--fake-gateway', '--data-dir', data())
    await killed.printed('Ctrl-C stops everything')
    const left = readRecord(data())?.parts.map((part) => part.process) ?? []
    killed.child.kill('SIGKILL')
    await killed.finished
    expect(left.every(isSameProcess)).toBe(true)
    const again = await mc('demo', '--once', '--fake-gateway', '--data-dir', data()).finished
    expect(again.code, again.stderr).toBe(0)
    expect(await gone(left)).toBe(true)
  })
})

describe('what ends the stack', () => {
  it.each(['SIGTERM', 'SIGHUP'] as const)('%s, with nothing left running', async (signal) => {
    const demo = mc('demo', '--fake-gateway', '--data-dir', data())
    await demo.printed('Ctrl-C stops everything')
    const parts = readRecord(data())?.parts.map((part) => part.process) ?? []
    demo.child.kill(signal)
    expect((await demo.finished).code).toBe(0)
    expect(await gone(parts)).toBe(true)
  })

  it('a reader that has gone', async () => {
    const demo = mc('demo', '--fake-gateway', '--data-dir', data())
    await demo.printed('backend')
    demo.child.stdout?.destroy()
    demo.child.stderr?.destroy()
    await demo.finished
    expect(existsSync(path.join(data(), 'stack.json'))).toBe(false)
  })
})

describe('./mc up', () => {
  it('names the process that holds a port', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const flags = [
      '--fake-gateway',
      '--data-dir',
      data(),
      '--backend-port',
      '0',
      '--site-port',
      '0',
      '--tools-port',
      '0',
      '--gateway-port',
      '0',
    ]
    const { code, stderr } = await mc('up', ...flags, '--health-port', String(port)).finished
    server.close()
    expect(code).toBe(1)
    expect(stderr).toMatch(
      new RegExp(`Port ${port}, needed for the health page, is held by process ${process.pid} .*--health-port`),
    )
  })

  it('is seeded once, at its start or from a second terminal, and wakes no agent', async () => {
    const flags = ['backend', 'site', 'health', 'tools', 'gateway'].flatMap((name) => [`--${name}-port`, '0'])
    const up = mc('up', '--seed', '--fake-gateway', '--data-dir', data(), ...flags)
    expect(await up.printed('Ctrl-C stops everything')).toContain('six agents, their tasks, threads and documents are there')
    const again = await mc('seed', '--data-dir', data()).finished
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('seeded before; nothing changed')])
    const run = async (name: string, args: object) =>
      JSON.parse((await mc('run', '--data-dir', data(), name, JSON.stringify(args)).finished).stdout) as unknown
    const agents = (await run('agents:list', {})) as { slug: string; heartbeatMinutes: number }[]
    expect(agents.map(({ slug }) => slug)).toEqual(['backend', 'designer', 'frontend', 'lead', 'qa', 'writer'])
    const { columns } = (await run('tasks:board', {})) as { columns: { cards: { id: string }[] }[] }
    const cards = columns.flatMap((column) => column.cards)
    expect(cards).toHaveLength(12)
    for (const { id } of cards) expect(await run('deliveries:forTask', { taskId: id })).toEqual([])
    up.child.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
    const nowhere = await mc('seed', '--data-dir', data()).finished
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining('No stack runs here')])
  })

  it('keeps its data over a restart', async () => {
    const flags = [
      '--fake-gateway',
      '--data-dir',
      data(),
      ...['backend', 'site', 'health', 'tools', 'gateway'].flatMap((name) => [`--${name}-port`, '0']),
    ]
    const first = mc('up', ...flags)
    await first.printed('Ctrl-C stops everything')
    const made = await mc('run', '--data-dir', data(), 'tasks:create', '{"title": "Stays"}').finished
    expect(made.code, made.stderr).toBe(0)
    first.child.kill('SIGTERM')
    expect((await first.finished).code).toBe(0)

    const second = mc('up', ...flags)
    await second.printed('Ctrl-C stops everything')
    const taskId = JSON.parse(made.stdout) as string
    const read = await mc('run', '--data-dir', data(), 'tasks:get', JSON.stringify({ taskId })).finished
    expect(JSON.parse(read.stdout)).toMatchObject({ title: 'Stays' })
    second.child.kill('SIGTERM')
    expect((await second.finished).code).toBe(0)
  })
})

describe('./mc demo with OpenClaw', () => {
  it('runs the main job on the real gateway and leaves no process behind', async (context) => {
    if (!existsSync(openclawEntry(ROOT))) context.skip('OpenClaw is not installed: run ./mc demo or ./mc test once')
    const demo = mc('demo', '--once', '--json', '--data-dir', data())
    const gatewayLine = await demo.printed('online with its gateway')
    expect(gatewayLine).toContain('backend')
    const parts = readRecord(data())?.parts.map((part) => part.process) ?? []
    const children = parts.flatMap((part) => descendantsOf(part.pid)).map(nameProcess)
    expect(children.length).toBeGreaterThan(0)
    const { code, stdout, stderr } = await demo.finished
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ agent: 'Wren', gateway: { version: OPENCLAW_VERSION, real: true } })
    expect(await gone([...parts, ...children])).toBe(true)
  })
})
