/**
 * Every public function, called as everybody who must be refused. The table below is who may call what; a function that is not in
 * it, or that lets somebody else in, fails here.
 */
import { readFileSync } from 'node:fs'
import { errorCode } from '@mission-control/shared/errors'
import { getFunctionName } from 'convex/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, internal } from '../convex/_generated/api.js'
import type { TableNames } from '../convex/_generated/dataModel.js'
import { hashToken } from '../convex/lib/tokens.js'
import schema from '../convex/schema.js'
import type { Caller } from './harness/backend.ts'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { convexFolder, functionModules } from '../src/modules.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { idsOf } from './harness/fixture.ts'
import type { Ids, PublicFunction } from './harness/public-functions.ts'
import { publicFunctions, sample, withoutValidators } from './harness/public-functions.ts'
import type { World } from './harness/world.ts'
import { createWorld } from './harness/world.ts'

type Guard = 'user' | 'member' | 'admin' | 'owner' | 'service'

const WHO_MAY_CALL: Readonly<Record<string, Guard>> = {
  'accounts:create': 'user',
  'accounts:get': 'member',
  'accounts:listMine': 'user',
  'accounts:remove': 'owner',
  'accounts:setBudgets': 'admin',
  'accounts:setCommand': 'admin',
  'accounts:setPermissionDefaults': 'admin',
  'accounts:setPaused': 'admin',
  'accounts:setRetention': 'admin',
  'accounts:update': 'admin',
  'activities:list': 'member',
  'agents:create': 'admin',
  'agents:get': 'member',
  'agents:list': 'member',
  'agents:pause': 'member',
  'agents:remove': 'admin',
  'agents:resume': 'member',
  'agents:setBudgets': 'admin',
  'agents:setLead': 'admin',
  'agents:update': 'admin',
  'attachments:register': 'member',
  'attachments:remove': 'member',
  'attachments:uploadUrl': 'member',
  'attachments:url': 'member',
  'deliveries:forTask': 'member',
  'deliveries:keptReply': 'member',
  'deliveries:listDead': 'member',
  'deliveries:redrive': 'member',
  'deliveries:runs': 'member',
  'deliveries:stop': 'member',
  'deliveries:threadState': 'member',
  'documents:create': 'member',
  'documents:createFolder': 'member',
  'documents:get': 'member',
  'documents:getVersion': 'member',
  'documents:list': 'member',
  'documents:move': 'member',
  'documents:purge': 'admin',
  'documents:remove': 'member',
  'documents:restore': 'member',
  'documents:update': 'member',
  'documents:versions': 'member',
  'documents:write': 'member',
  'invitations:accept': 'user',
  'invitations:create': 'admin',
  'invitations:list': 'admin',
  'invitations:preview': 'user',
  'invitations:revoke': 'admin',
  'memberships:add': 'owner',
  'memberships:leave': 'member',
  'memberships:list': 'member',
  'memberships:me': 'member',
  'memberships:remove': 'admin',
  'memberships:rename': 'member',
  'memberships:transferOwnership': 'owner',
  'memberships:updateRole': 'admin',
  'messages:candidates': 'member',
  'messages:edit': 'member',
  'messages:get': 'member',
  'messages:list': 'member',
  'messages:post': 'member',
  'messages:remove': 'member',
  'notifications:getPreferences': 'member',
  'notifications:list': 'member',
  'notifications:markAllRead': 'member',
  'notifications:markRead': 'member',
  'notifications:remove': 'member',
  'notifications:setPreferences': 'member',
  'notifications:unreadCount': 'member',
  'runtimes:status': 'member',
  'search:all': 'member',
  'seed:demo': 'owner',
  'serviceTokens:create': 'admin',
  'serviceTokens:list': 'admin',
  'serviceTokens:rename': 'admin',
  'serviceTokens:revoke': 'admin',
  'serviceTokens:rotate': 'admin',
  'standup:byDate': 'member',
  'standup:latest': 'member',
  'standup:list': 'member',
  'subscriptions:list': 'member',
  'subscriptions:mine': 'member',
  'subscriptions:subscribe': 'member',
  'subscriptions:unsubscribe': 'member',
  'tasks:assign': 'member',
  'tasks:board': 'member',
  'tasks:create': 'member',
  'tasks:get': 'member',
  'tasks:list': 'member',
  'tasks:search': 'member',
  'tasks:unassign': 'member',
  'tasks:update': 'member',
  'tasks:updateStatus': 'member',
  'usage:list': 'member',
  'usage:state': 'member',
  'usage:summary': 'member',
  'service/agents:list': 'service',
  'service/agents:profiles': 'service',
  'service/agents:upsertHeartbeat': 'service',
  'service/heartbeats:begin': 'service',
  'service/messages:createFromAgent': 'service',
  'service/notifications:claim': 'service',
  'service/notifications:fail': 'service',
  'service/notifications:getForDelivery': 'service',
  'service/notifications:listDead': 'service',
  'service/notifications:listUndeliveredForAccount': 'service',
  'service/notifications:markDelivered': 'service',
  'service/notifications:settleMany': 'service',
  'service/notifications:ready': 'service',
  'service/notifications:redrive': 'service',
  'service/notifications:release': 'service',
  'service/notifications:reportUsage': 'service',
  'service/notifications:settle': 'service',
  'service/runtime:checkIn': 'service',
  'service/runtime:goOffline': 'service',
  'service/runtime:hello': 'service',
  'service/runtime:signals': 'service',
  'service/runtime:tokenInfo': 'service',
  'service/tools:call': 'service',
  'service/tools:read': 'service',
}
const CALLER_OF = { member: 'cy', admin: 'bo', owner: 'ada' } as const
const TOO_LOW = { member: null, admin: 'cy', owner: 'bo' } as const

const functions = await buildFunctions()
const all = publicFunctions(functions)
const guarded = (...guards: Guard[]) => all.filter(({ path }) => guards.includes(WHO_MAY_CALL[path] ?? 'user'))

it('names who may call each public function', () => {
  expect(all.map(({ path }) => path).sort()).toEqual(Object.keys(WHO_MAY_CALL).sort())
})

it('builds functions in one file only, the one with the guards', () => {
  const importers = functionModules().filter((path) => {
    const text = readFileSync(`${convexFolder}/${path}.ts`, 'utf8')
    const fromServer = /^(?:import|export) (?:\{[^}]*\}|\*[^'\n]*) from '[^']*_generated\/server(?:\.js)?'/m.test(text)
    return (
      fromServer || /\b(?:query|mutation|action|httpAction|internalQuery|internalMutation|internalAction)Generic\b/.test(text)
    )
  })
  expect(importers).toEqual(['lib/functions'])
})

it('validates the arguments and the result of every function', () => {
  expect(withoutValidators(functions)).toEqual([])
})

describe('who is refused', () => {
  let backend: EmbeddedBackend
  let mine: World
  let ids: Ids
  let foreign: World

  beforeAll(async () => {
    backend = await openEmbedded(functions)
    mine = await createWorld(backend)
    ids = await idsOf(mine)
    foreign = await createOther(backend)
    // Counts that follow what made them: later changes to this account are somebody else's.
    await backend.finishScheduled()
  })
  afterAll(() => backend.close())

  const call = (who: Caller, fn: PublicFunction, args: object): Promise<unknown> => {
    const run = who[fn.kind] as (path: never, args: object) => Promise<unknown>
    return run(fn.path as never, args)
  }
  const codeOf = async (calling: Promise<unknown>) =>
    calling.then(
      () => 'accepted',
      (error: unknown) => errorCode(error) ?? error,
    )
  const argsFor = (fn: PublicFunction, from: Ids, over: object = {}) => ({ ...(sample(fn.args, from) as object), ...over })

  it.each(guarded('user', 'member', 'admin', 'owner'))('$path refuses a stranger', async (fn) => {
    expect(await codeOf(call(backend, fn, argsFor(fn, ids)))).toBe('UNAUTHENTICATED')
  })

  it.each(guarded('member', 'admin', 'owner'))('$path refuses a member of another account', async (fn) => {
    expect(await codeOf(call(backend.as('Eve'), fn, argsFor(fn, ids)))).toBe('FORBIDDEN')
  })

  it.each(guarded('admin', 'owner'))('$path refuses a role that is too low', async (fn) => {
    const who = TOO_LOW[WHO_MAY_CALL[fn.path] as 'admin' | 'owner']
    expect(await codeOf(call(mine[who], fn, argsFor(fn, ids)))).toBe('FORBIDDEN')
  })

  it.each(guarded('service'))('$path refuses every token but a valid one of this account, and never repeats it', async (fn) => {
    const revoked = await mine.ada.action(api.serviceTokens.create, { accountId: mine.accountId, name: 'revoked' })
    await mine.ada.mutation(api.serviceTokens.revoke, { accountId: mine.accountId, tokenId: revoked.tokenId })
    const expired = await mine.ada.action(api.serviceTokens.create, {
      accountId: mine.accountId,
      name: 'expired',
      expiresInDays: 1,
    })
    await backend.mutation(internal.serviceTokens.expire, { tokenId: expired.tokenId })
    const tokens = {
      empty: '',
      malformed: 'mcs_secret-of-somebody',
      unknown: mine.token.slice(0, -4) + 'AAAA',
      foreign: foreign.token,
      renamed: foreign.token.replace(foreign.accountId, mine.accountId),
      revoked: revoked.token,
      expired: expired.token,
    }
    for (const [name, serviceToken] of Object.entries(tokens)) {
      const error: unknown = await call(backend, fn, argsFor(fn, ids, { serviceToken })).catch((thrown: unknown) => thrown)
      expect([name, errorCode(error)]).toEqual([name, 'TOKEN_REFUSED'])
      if (serviceToken !== '') expect(JSON.stringify(error) + String(error)).not.toContain(serviceToken)
    }
    expect(await codeOf(call(backend, fn, argsFor(fn, ids, { accountId: 'nonsense' })))).toBe('TOKEN_REFUSED')
    expect(await codeOf(call(mine.ada, fn, argsFor(fn, ids)))).toBe('FORBIDDEN')
  })

  it.each(guarded('service', 'member', 'admin', 'owner'))('$path gives another account nothing of this one', async (fn) => {
    const before = await dump(mine)
    const { accountId, serviceToken } = { accountId: foreign.accountId, serviceToken: foreign.token }
    const service = WHO_MAY_CALL[fn.path] === 'service'
    const args = argsFor(fn, ids, { accountId, ...(service ? { serviceToken } : {}) })
    const result = await call(service ? backend : backend.as('Eve'), fn, args).catch((error: unknown) => {
      expect(errorCode(error)).not.toBeNull()
      return null
    })
    await backend.finishScheduled()
    const text = JSON.stringify(result)
    // What the caller named himself may come back; what this account wrote may not.
    for (const secret of ['Ada', 'Acme', 'Ship it', 'alpha secret']) expect(text).not.toContain(secret)
    expect(await dump(mine)).toEqual(before)
  })

  // Last: these calls succeed, and some of them remove what others need.
  it.each(guarded('user', 'member', 'admin', 'owner', 'service'))('$path lets in whom it should', async (fn) => {
    const world = await createWorld(backend)
    const guard = WHO_MAY_CALL[fn.path] ?? 'user'
    const who = guard === 'service' ? backend : guard === 'user' ? backend.as('Zoe') : world[CALLER_OF[guard]]
    const code = await codeOf(call(who, fn, argsFor(fn, await idsOf(world))))
    expect(['UNAUTHENTICATED', 'FORBIDDEN', 'TOKEN_REFUSED']).not.toContain(code)
    expect(code).toBeTypeOf('string')
  })

  async function dump(world: World): Promise<unknown> {
    return await backend.run(async (ctx) => {
      const tables = Object.keys(schema.tables) as TableNames[]
      const rows = await Promise.all(tables.map((table) => ctx.db.query(table).collect()))
      return rows.flat().filter((row) => row._id === world.accountId || ('accountId' in row && row.accountId === world.accountId))
    })
  }
})

async function createOther(backend: EmbeddedBackend): Promise<World> {
  const eve = backend.as('Eve')
  const others = { ...backend, as: (name: string) => (name === 'Ada' ? eve : backend.as(`other-${name}`)) }
  return await createWorld(others, { account: 'Foreign', task: 'Foreign work' })
}

it('compares the whole hash, not only the digits it looks up', async () => {
  const backend = await openEmbedded(functions)
  try {
    const world = await createWorld(backend)
    const guess = `mcs_${world.accountId}_${'A'.repeat(43)}`
    const { lookup } = hashToken(guess)
    await backend.run((ctx) => ctx.db.patch(world.tokenId, { lookup }))
    const refused = backend.query(api.service.notifications.ready, { ...world.service, serviceToken: guess })
    await expect(refused.catch(errorCode)).resolves.toBe('TOKEN_REFUSED')
  } finally {
    await backend.close()
  }
})

it('calls functions by the names the generated api gives them', () => {
  expect(getFunctionName(api.service.notifications.claim)).toBe('service/notifications:claim')
})
