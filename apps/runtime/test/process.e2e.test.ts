/** The runtime as a process: killed, stopped, refused. Backend and gateway live outside of it and go on. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Functions } from '@mission-control/embedded'
import { spawnRuntime } from './stack/process.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

/** As a shell runs it, by its first line. */
const BIN = fileURLToPath(new URL('../bin/mission-control-runtime.mjs', import.meta.url))

const active = (line: Record<string, unknown>) => line['msg'] === 'active'
const agentMessages = async (world: Awaited<ReturnType<typeof createWorld>>) =>
  (await world.messages()).filter(({ author }) => author.type === 'agent').map(({ content }) => content)

describe('kill -9 of the runtime', () => {
  it('in the middle of a turn: the next process finds it running, and there is exactly one reply', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    await using first = spawnRuntime(env)
    await first.line(active)
    await world.post('@writer [[gate:g]][[say:exactly once]]')
    await world.gate('g').entered
    first.kill('SIGKILL')
    expect(await first.ended).toBe('SIGKILL')

    const died = performance.now()
    await using second = spawnRuntime(env) // the same folder: the kernel has dropped the lock
    await second.line(active)
    world.gate('g').release()
    expect(await world.replies(1)).toEqual(['exactly once'])
    console.log(`kill -9 to reply: ${Math.round(performance.now() - died)} ms, process start included`)
    await second.line((line) => line['msg'] === 'delivery' && line['reconcile'] === true)
    expect(world.gateway.turns).toHaveLength(1) // the model was asked once
    expect(await agentMessages(world)).toEqual(['exactly once'])
  })

  it('after the answer, before it was settled: the answer is found and posted once', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    await using first = spawnRuntime(env)
    await first.line(active)
    await world.post('@writer [[gate:g]][[say:found]]')
    await world.gate('g').entered
    first.kill('SIGKILL')
    await first.ended
    world.gate('g').release() // the gateway finishes with nobody listening
    await using second = spawnRuntime(env)
    await second.line(active)
    expect(await world.replies(1)).toEqual(['found'])
    expect(world.gateway.turns).toHaveLength(1)
  })

  it('again and again while messages come in: every one is answered, none twice', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    const sent: string[] = []
    for (let round = 0; round < 5; round += 1) {
      await using runtime = spawnRuntime(env)
      await runtime.line(active)
      for (let i = 0; i < 3; i += 1) {
        const text = `answer-${round}-${i}`
        sent.push(text)
        await world.post(`@writer [[sleep:40]][[say:${text}]]`)
      }
      await new Promise((resolve) => setTimeout(resolve, 30 * round))
      runtime.kill('SIGKILL')
      await runtime.ended
    }
    await using last = spawnRuntime(env)
    await last.line(active)
    expect(await world.replies(sent.length)).toEqual(sent)
    expect(await agentMessages(world)).toEqual(sent)
  })
})

describe('the process', () => {
  it('drains on SIGTERM and exits 0', async () => {
    await using world = await createWorld(functions)
    await using runtime = spawnRuntime(await world.environment())
    await runtime.line(active)
    await world.post('@writer [[gate:g]][[say:before the end]]')
    await world.gate('g').entered
    runtime.kill('SIGTERM')
    await runtime.line((line) => line['msg'] === 'stopping')
    world.gate('g').release()
    expect(await runtime.ended).toBe(0)
    expect(await agentMessages(world)).toEqual(['before the end'])
  })

  it('ends at once on a second signal', async () => {
    await using world = await createWorld(functions)
    await using runtime = spawnRuntime(await world.environment())
    await runtime.line(active)
    await world.post('@writer [[gate:g]][[say:never]]')
    await world.gate('g').entered
    runtime.kill('SIGTERM')
    await runtime.line((line) => line['msg'] === 'stopping')
    runtime.kill('SIGTERM')
    expect(await runtime.ended).toBe(143)
  })

  it('names what is missing, refused or in the way, with the right exit code', async () => {
    await using world = await createWorld(functions)
    const env = await world.environment()
    await using unset = spawnRuntime({ ...env, CONVEX_URL: '' })
    expect(await unset.ended).toBe(3)
    expect(unset.errors()).toContain('CONVEX_URL is not set')

    await using refused = spawnRuntime({ ...env, SERVICE_TOKEN: `${world.token.slice(0, -4)}AAAA` })
    expect(await refused.ended).toBe(4)
    expect(refused.errors()).not.toContain('AAAA')

    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    await using taken = spawnRuntime({ ...env, HEALTH_PORT: String((holder.address() as AddressInfo).port) })
    expect(await taken.ended).toBe(1)
    expect(taken.errors()).toContain(`process ${process.pid} `)
    holder.close()

    await using folder = spawnRuntime({ ...env, DATA_DIR: '/dev/null/x' })
    expect(await folder.ended).toBe(3)
    expect(folder.errors()).toMatch(/^The data folder \/dev\/null\/x cannot be created or written .* set DATA_DIR/m)
    expect(folder.errors()).not.toContain('    at ')

    await using running = spawnRuntime(env)
    await running.line(active)
    await using second = spawnRuntime(env)
    expect(await second.ended).toBe(1)
    expect(second.errors()).toContain(`pid ${running.child.pid}`)
  })

  it('restarts inside the same process when the backend asks for it', async () => {
    await using world = await createWorld(functions)
    await using runtime = spawnRuntime(await world.environment())
    await runtime.line(active)
    const { accountId } = world
    await world.owner.mutation(api.accounts.setCommand, { accountId: accountId as never, command: 'restart' })
    const first = runtime.lines.filter(active).length
    await runtime.line((line) => active(line) && runtime.lines.filter(active).length > first)
    expect(runtime.lines.some((line) => line['msg'] === 'a restart was asked for')).toBe(true)
    await world.post('@writer [[say:after the restart]]')
    expect(await world.replies(1)).toEqual(['after the restart'])
    runtime.kill('SIGTERM')
    expect(await runtime.ended).toBe(0)
    expect(runtime.errors()).toBe('')
  })

  it('names an env file that is not there in its own words, although Node has an option of that name', async () => {
    const missing = spawnSync(BIN, ['check', '--env-file', '/nonexistent/env'], { encoding: 'utf8' })
    expect(missing.status).toBe(3)
    expect(missing.stdout).toContain('The env file /nonexistent/env cannot be read (ENOENT): correct --env-file.')
  })

  it('waits for a backend that is not there yet, and says so', async () => {
    await using world = await createWorld(functions)
    const nobody = createServer().listen(0, '127.0.0.1')
    await once(nobody, 'listening')
    const { port } = nobody.address() as AddressInfo
    nobody.close()
    await using runtime = spawnRuntime({ ...(await world.environment()), CONVEX_URL: `http://127.0.0.1:${port}` })
    await runtime.line((line) => line['msg'] === 'waiting for the backend')
    const late = await world.backend.listen({ port })
    await runtime.line(active)
    await late.close()
  })
})
