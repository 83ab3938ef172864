/** Service tokens over their life: rotation with both valid for a while, names, and nothing that shows their text. */
import { conflicts } from '@mission-control/embedded'
import { errorCode } from '@mission-control/shared/errors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { Id, TableNames } from '../convex/_generated/dataModel.js'
import schema from '../convex/schema.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { onEachEngine } from './harness/engines.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

const DAY = 86_400_000
const rotate = (world: World, graceDays: number, over: { tokenId?: Id<'serviceTokens'>; expiresInDays?: number } = {}) =>
  world.bo.action(api.serviceTokens.rotate, { accountId: world.accountId, tokenId: world.tokenId, graceDays, ...over })
const answer = (world: World, serviceToken: string) =>
  world.backend.query(api.service.notifications.ready, { accountId: world.accountId, serviceToken }).then(
    () => 'accepted',
    (error: unknown) => errorCode(error),
  )
const list = (world: World) => world.ada.query(api.serviceTokens.list, { accountId: world.accountId })
const activities = async (world: World) =>
  (await world.ada.query(api.activities.list, { accountId: world.accountId, paginationOpts: { numItems: 100, cursor: null } }))
    .page

onEachEngine('rotating a token', (open) => {
  it('leaves both valid within the grace, and only the new one afterwards', async () => {
    const world = await createWorld(await open())
    const fresh = await rotate(world, 2)
    expect(fresh.token).not.toBe(world.token)
    expect([await answer(world, world.token), await answer(world, fresh.token)]).toEqual(['accepted', 'accepted'])
    await world.backend.advance(2 * DAY - 1)
    expect([await answer(world, world.token), await answer(world, fresh.token)]).toEqual(['accepted', 'accepted'])
    await world.backend.advance(1)
    expect([await answer(world, world.token), await answer(world, fresh.token)]).toEqual(['TOKEN_REFUSED', 'accepted'])
    await world.backend.advance(30 * DAY)
    expect(await answer(world, fresh.token)).toBe('accepted')
  })

  it('without grace ends the old one at once', async () => {
    const world = await createWorld(await open())
    const fresh = await rotate(world, 0)
    expect([await answer(world, world.token), await answer(world, fresh.token)]).toEqual(['TOKEN_REFUSED', 'accepted'])
  })

  it('never makes the old one live longer than it would', async () => {
    const world = await createWorld(await open())
    const { accountId } = world
    const short = await world.ada.action(api.serviceTokens.create, { accountId, name: 'short', expiresInDays: 1 })
    const end = world.backend.now() + DAY
    const fresh = await rotate(world, 7, { tokenId: short.tokenId, expiresInDays: 3 })
    expect((await list(world)).find(({ id }) => id === short.tokenId)).toMatchObject({ expiresAt: end })
    await world.backend.advance(DAY)
    expect([await answer(world, short.token), await answer(world, fresh.token)]).toEqual(['TOKEN_REFUSED', 'accepted'])
    await world.backend.advance(2 * DAY)
    expect(await answer(world, fresh.token)).toBe('TOKEN_REFUSED')
  })

  it('keeps the name, and is written down with who did it and when the old one ends', async () => {
    const world = await createWorld(await open())
    const { tokenId } = await rotate(world, 1)
    const end = world.backend.now() + DAY
    const tokens = await list(world)
    expect(tokens.map(({ id, name, state, expiresAt }) => ({ id, name, state, expiresAt }))).toEqual(
      expect.arrayContaining([
        { id: world.tokenId, name: 'box', state: 'active', expiresAt: end },
        { id: tokenId, name: 'box', state: 'active', expiresAt: null },
      ]),
    )
    await world.backend.advance(DAY)
    expect((await list(world)).find(({ id }) => id === world.tokenId)).toMatchObject({ state: 'expired', endedAt: end })
    const [expired, rotated] = await activities(world)
    expect(expired).toMatchObject({ type: 'service_token_expired', actor: { type: 'system' }, targetId: world.tokenId })
    expect(rotated).toMatchObject({ type: 'service_token_rotated', actor: { name: 'Bo' }, targetId: tokenId, targetName: 'box' })
    expect(rotated?.detail).toContain(new Date(end).toISOString())
  })

  it('is refused for a token that has ended, for one of another account, and for a longer grace', async () => {
    const world = await createWorld(await open())
    await expect(rotate(world, 8).catch(errorCode)).resolves.toBe('INVALID')
    await expect(rotate(world, 0.5).catch(errorCode)).resolves.toBe('INVALID')
    await world.ada.mutation(api.serviceTokens.revoke, { accountId: world.accountId, tokenId: world.tokenId })
    await expect(rotate(world, 1).catch(errorCode)).resolves.toBe('CONFLICT')
    const accountId = await world.backend.as('Zoe').mutation(api.accounts.create, { name: 'Other' })
    const other = await world.backend.as('Zoe').action(api.serviceTokens.create, { accountId, name: 'z' })
    await expect(rotate(world, 1, { tokenId: other.tokenId }).catch(errorCode)).resolves.toBe('NOT_FOUND')
    expect(await list(world)).toHaveLength(1)
  })

  it('hands the runtime over: it goes on under the new token while the old one runs out', async () => {
    const world = await createWorld(await open())
    const fresh = await rotate(world, 1)
    await world.post('@engineer go')
    const service = { accountId: world.accountId, serviceToken: fresh.token }
    const [head] = await world.backend.query(api.service.notifications.ready, service)
    const claimed = await world.backend.mutation(api.service.notifications.claim, {
      ...{ ...service, epoch: world.epoch, ids: [head?.id ?? ''] },
    })
    expect(claimed.items).toHaveLength(1)
  })
})

onEachEngine('renaming a token', (open) => {
  it('changes its name only, and is written down once', async () => {
    const world = await createWorld(await open())
    const rename = (name: string) =>
      world.bo.mutation(api.serviceTokens.rename, { accountId: world.accountId, tokenId: world.tokenId, name })
    await rename('  office ')
    await rename('office')
    expect(await list(world)).toMatchObject([{ name: 'office', state: 'active' }])
    expect(await answer(world, world.token)).toBe('accepted')
    const renamed = (await activities(world)).filter(({ type }) => type === 'service_token_renamed')
    expect(renamed).toMatchObject([{ targetName: 'office', detail: 'was "box"' }])
    await expect(rename(' ').catch(errorCode)).resolves.toBe('INVALID')
  })
})

onEachEngine('the text of a token', (open) => {
  it('is in no row of any table, nor is its secret', async () => {
    const world = await createWorld(await open())
    const fresh = await rotate(world, 1)
    await world.checkIn()
    await world.backend.advance(DAY)
    const everything = JSON.stringify(
      await world.backend.run(async (ctx) => {
        const tables = Object.keys(schema.tables) as TableNames[]
        const scheduled = await ctx.db.system.query('_scheduled_functions').collect()
        return [scheduled, ...(await Promise.all(tables.map((table) => ctx.db.query(table).collect())))]
      }),
    )
    expect(everything).toContain('service_token_rotated')
    for (const token of [world.token, fresh.token]) {
      expect(everything).not.toContain(token)
      expect(everything).not.toContain(token.slice(-43))
    }
  })
})

describe('a subscription that is open with a token', () => {
  let backend: EmbeddedBackend
  beforeAll(async () => {
    backend = await openEmbedded(await buildFunctions())
  })
  afterAll(() => backend.close())

  it('is asked again when the token expires, and is refused then', async () => {
    const world = await createWorld(backend)
    await rotate(world, 1)
    const ready = await backend.engine.trace(api.service.notifications.ready, world.service)
    const expiry = await backend.engine.trace(internal.serviceTokens.expire, { tokenId: world.tokenId })
    expect(conflicts(expiry, ready)).toBe(true)
    expect(await answer(world, world.token)).toBe('TOKEN_REFUSED')
  })

  it('of the new token is not disturbed by the end of the old one', async () => {
    const world = await createWorld(backend)
    const fresh = await rotate(world, 1)
    const ready = await backend.engine.trace(api.service.notifications.ready, { ...world.service, serviceToken: fresh.token })
    const expiry = await backend.engine.trace(internal.serviceTokens.expire, { tokenId: world.tokenId })
    expect(conflicts(expiry, ready)).toBe(false)
  })
})
