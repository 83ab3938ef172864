/**
 * Every public function with values nobody should send: unknown ids and ids of other tables, texts and lists beyond all limits, numbers
 * that are none. A refusal has a code, or is Convex's own check of the arguments, and leaves nothing behind.
 */
import { errorCode } from '@mission-control/shared/errors'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { api } from '../convex/_generated/api.js'
import type { EmbeddedBackend } from './harness/embedded.ts'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { rowsOfAccount } from './harness/fill.ts'
import { idsOf } from './harness/fixture.ts'
import type { Ids, PublicFunction, ValidatorJson } from './harness/public-functions.ts'
import { publicFunctions, sample } from './harness/public-functions.ts'
import { createWorld } from './harness/world.ts'

const HUGE_TEXT = 'x'.repeat(1_000_001)
const NUMBERS = [NaN, -Infinity, -1, 0, 0.5, 2 ** 53]
const TEXTS = ['', ' ', HUGE_TEXT, '\u0000', '\ud800', '__proto__']
const LIST_LENGTH = 2_001

/** Convex's own words for arguments that do not fit their validator, and for a cursor it did not make. */
const CONVEX_REFUSES =
  /^(?:ArgumentValidationError|InvalidCursor|Failed to parse cursor|.* is not a valid Convex (?:value|string)|Invalid (?:argument|cursor))/

/** Values that the validator's author did not think of; some of them fit it. */
function hostile(validator: ValidatorJson, ids: Ids, name: string): unknown[] {
  const foreign = [ids.byTable['accounts'], ids.byTable['agents'], ids.byTable['tasks']]
  switch (validator.type) {
    case 'string':
      return [...TEXTS, ...foreign]
    case 'id':
      return [
        ...foreign.filter((id) => id !== ids.byTable[validator.tableName]),
        goneLike(ids.byTable[validator.tableName] ?? ''),
        '',
      ]
    case 'number':
      return NUMBERS
    case 'array': {
      const one = sample(validator.value, ids, name)
      return [
        [],
        Array.from({ length: LIST_LENGTH }, () => one),
        [one, one],
        ...hostile(validator.value, ids, name).map((bad) => [bad]),
      ]
    }
    case 'union':
      return validator.value.flatMap((member) => hostile(member, ids, name))
    case 'object': {
      const whole = sample(validator, ids) as object
      return Object.entries(validator.value).flatMap(([key, { fieldType }]) =>
        hostile(fieldType, ids, key).map((bad) => ({ ...whole, [key]: bad })),
      )
    }
    default:
      return [null, 'not a literal']
  }
}

/** A well-formed id of the same table that was never given out. */
const goneLike = (id: string): string => (id.length < 4 ? id : `${id.slice(0, -3)}${[...id.slice(-3)].reverse().join('')}`)

const functions = await buildFunctions()
const all = publicFunctions(functions)
const isQuery = ({ kind }: PublicFunction): boolean => kind === 'query'

describe('what nobody should send', () => {
  const opened: EmbeddedBackend[] = []
  const closeAll = async () => {
    for (const backend of opened.splice(0)) await backend.close()
  }
  const open = async () => {
    const backend = await openEmbedded(functions)
    opened.push(backend)
    const world = await createWorld(backend)
    const ids = await idsOf(world)
    await backend.finishScheduled()
    return { backend, world, ids }
  }
  type Opened = Awaited<ReturnType<typeof open>>

  describe('to queries', () => {
    afterAll(closeAll)
    // They write nothing: one account serves them all.
    let shared: Promise<Opened> | undefined
    it.each(all.filter(isQuery))('$path refuses it with a code, or takes it', { timeout: 120_000 }, async (fn) => {
      await tryAll(fn, await (shared ??= open()))
    })
  })

  describe('to mutations and actions', () => {
    afterEach(closeAll)
    it.each(all.filter((fn) => !isQuery(fn)))('$path refuses it with a code, or takes it', { timeout: 120_000 }, async (fn) => {
      await tryAll(fn, await open())
    })
  })

  async function tryAll(fn: PublicFunction, { backend, world, ids }: Opened): Promise<void> {
    if (fn.args.type !== 'object') throw new Error('The arguments are no object.')
    const good = sample(fn.args, ids) as Record<string, unknown>
    const who = fn.path.startsWith('service/') ? backend : world.ada
    const call = who[fn.kind] as (path: never, args: object) => Promise<unknown>
    // A query writes nothing, whatever it says.
    const read = async () => (fn.kind === 'query' ? '' : JSON.stringify(await rowsOfAccount(backend, world.accountId)))
    let rows = await read()
    const uncoded: string[] = []
    for (const [key, { fieldType }] of Object.entries(fn.args.value)) {
      if (key === 'accountId' || key === 'serviceToken') continue
      for (const bad of hostile(fieldType, ids, key)) {
        const error = await call(fn.path as never, { ...good, [key]: bad }).then(
          () => null,
          (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
        )
        if (error === null) {
          rows = await read()
          continue
        }
        const said = error instanceof Error ? error.message : JSON.stringify(error)
        const line = `${key} = ${JSON.stringify(bad)?.slice(0, 80)}`
        if (errorCode(error) === null && !CONVEX_REFUSES.test(said)) uncoded.push(`${line}: ${said.slice(0, 200)}`)
        if ((await read()) !== rows) uncoded.push(`${line}: was refused and left something behind`)
      }
    }
    expect(uncoded).toEqual([])
  }
})

describe('an id of another table', () => {
  const opened: EmbeddedBackend[] = []
  afterEach(async () => {
    for (const backend of opened.splice(0)) await backend.close()
  })
  const NOT_FOUND = { data: { code: 'NOT_FOUND', message: 'taskId is no id of tasks: pass one that a function returned.' } }

  it('is refused with a code, by queries, mutations and actions alike, and only to those who are let in', async () => {
    const backend = await openEmbedded(functions)
    opened.push(backend)
    const { ada, accountId, engineer } = await createWorld(backend)
    const wrong = { accountId, taskId: engineer as never }
    await expect(ada.query(api.tasks.get, wrong)).rejects.toMatchObject(NOT_FOUND)
    await expect(ada.query(api.tasks.get, { accountId, taskId: '' as never })).rejects.toMatchObject(NOT_FOUND)
    await expect(ada.mutation(api.messages.post, { ...wrong, content: 'x' })).rejects.toMatchObject(NOT_FOUND)
    const storageId = engineer as never
    const registered = ada.action(api.attachments.register, { ...wrong, storageId, name: 'x.txt' })
    await expect(registered).rejects.toMatchObject(NOT_FOUND)
    await expect(backend.query(api.tasks.get, wrong).catch(errorCode)).resolves.toBe('UNAUTHENTICATED')
    await expect(backend.as('Eve').query(api.tasks.get, wrong).catch(errorCode)).resolves.toBe('FORBIDDEN')
    const nowhere = ada.query(api.tasks.board, { accountId: engineer as never })
    await expect(nowhere.catch(errorCode)).resolves.toBe('FORBIDDEN')
  })

  it('is found inside lists and unions too', async () => {
    const backend = await openEmbedded(functions)
    opened.push(backend)
    const { ada, accountId, taskId } = await createWorld(backend)
    const list = ada.mutation(api.notifications.markRead, { accountId, notificationIds: [taskId as never] })
    await expect(list.catch(errorCode)).resolves.toBe('NOT_FOUND')
    const nullable = ada.mutation(api.agents.setLead, { accountId, agentId: taskId as never })
    await expect(nullable.catch(errorCode)).resolves.toBe('NOT_FOUND')
  })
})
