import { beforeAll, describe, expect, it } from 'vitest'
import type { Functions } from '@mission-control/embedded'
import { api } from '@mission-control/backend/convex/_generated/api'
import { HealthPage } from '../src/health/page.ts'
import { buildFunctions, createWorld } from './stack/world.ts'

let functions: Functions
beforeAll(async () => {
  functions = await buildFunctions()
})

const quick = { SHUTDOWN_GRACE: '0' }

describe('the runtime with the embedded backend and a gateway', () => {
  it('brings a mention to its agent and the reply back, once', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    await world.untilReady(runtime)
    await world.post('@writer [[say:hello back]]')
    expect(await world.replies(1)).toEqual(['hello back'])
    expect(world.gateway.turns).toHaveLength(1)
    expect(world.gateway.turns[0]?.prompt).toContain('hello back')
    await runtime.stop()
    expect(await runtime.done).toBe('stopped')
    expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
    const everything = JSON.stringify(world.lines)
    expect(everything).not.toContain(world.token)
    expect(everything).not.toContain('hello back')
  })

  it('serves health pages that keep to their schema', async () => {
    await using world = await createWorld(functions)
    const runtime = await world.startRuntime(quick)
    const get = (page: string) => fetch(`http://127.0.0.1:${runtime.healthPort}${page}`)
    expect((await get('/livez')).status).toBe(200)
    await world.untilReady(runtime)
    expect((await get('/readyz')).status).toBe(200)
    const page = HealthPage.parse(await (await get('/health')).json())
    expect(page).toMatchObject({ status: 'healthy', role: 'active', gateway: { running: true }, convex: { connected: true } })
    await world.gateway.crash()
    while (runtime.notReady().length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await get('/readyz')).status).toBe(503)
    expect(HealthPage.parse(await (await get('/health')).json())).toMatchObject({ status: 'degraded', gateway: { running: false } })
    const shown = async () => world.owner.query(api.runtimes.status, { accountId: world.accountId as never })
    while (!JSON.stringify(await shown()).includes('degraded')) await new Promise((resolve) => setTimeout(resolve, 50))
  })
})
