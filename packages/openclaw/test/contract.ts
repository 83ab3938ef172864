/**
 * What this package relies on in a gateway, as one suite. Run against the fake (contract.test.ts) and the real one
 * (contract-real.e2e.test.ts): as long as both pass, tests on the fake mean something.
 */
import { randomUUID } from 'node:crypto'
import { systemClock } from '@mission-control/host/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../src/client.ts'
import { createClient, SIGN_OF_LIFE } from '../src/client.ts'
import { getConfig, listAgents, patchConfig, putAgents, recreateAgent, removeAgent } from '../src/config/live.ts'
import type { GatewayError } from '../src/errors.ts'
import { isTakenForDeleted } from '../src/errors.ts'
import type { Gateway, HistorySnapshot } from '../src/gateway.ts'
import { createGateway } from '../src/official-gateway.ts'
import { startTestTools } from './mcp-server.ts'
import type { Gate } from '../src/testing/gates.ts'
import { runTurn } from '../src/turn/run.ts'
import type { TurnRequest } from '../src/turn/types.ts'
import { StopTurn } from '../src/turn/types.ts'

/** A running gateway with the agents `writer` and `editor` and the scripted model. */
export interface Subject {
  readonly url: string
  readonly token: string
  readonly client: Client
  /** Folder for workspaces of agents added on the way. */
  readonly workspaceRoot: string
  gate(name: string): Gate
  /** How many model calls contained this text in their newest message. */
  modelCalls(text: string): number
  /** kill -9 and a new process; resolves when the client is connected to it. */
  crashAndRestart(): Promise<void>
  stop(): Promise<void>
}

export interface ContractOptions {
  readonly name: string
  readonly start: () => Promise<Subject>
  /** Longest a turn may take here, milliseconds. */
  readonly turnMs: number
}

export function contract({ name, start, turnMs }: ContractOptions): void {
  // A turn may last while the gateway is killed and started again.
  describe(`gateway contract: ${name}`, { timeout: Math.max(90_000, 2 * turnMs) }, () => {
    let subject: Subject
    let gateway: Gateway
    const clock = systemClock
    beforeAll(async () => {
      subject = await start()
      gateway = createGateway(subject.client)
    })
    afterAll(async () => subject?.stop())

    const soon = () => AbortSignal.timeout(turnMs)
    const session = (agent = 'writer') => `agent:${agent}:test-${randomUUID()}`
    const turn = (request: Partial<TurnRequest> & { message: string }) =>
      runTurn({ gateway, clock }, { sessionKey: session(), turnKey: randomUUID(), timeoutMs: turnMs, ...request })
    const send = (sessionKey: string, turnKey: string, message: string) =>
      gateway.send({ sessionKey, turnKey, message, timeoutMs: turnMs }, soon())
    const history = (sessionKey: string, key: string) => gateway.history(sessionKey, [key], soon())
    const until = async (sessionKey: string, key: string, holds: (seen: HistorySnapshot) => boolean) => {
      const signal = soon()
      for (;;) {
        const seen = await gateway.history(sessionKey, [key], signal)
        if (holds(seen)) return seen
        await clock.sleep(50, signal)
      }
    }
    const failure = async (promise: Promise<unknown>): Promise<GatewayError> =>
      promise.then(
        () => expect.fail('it should have failed'),
        (error: unknown) => error as GatewayError,
      )

    it('a fresh turn is accepted, answered, and its usage known', async () => {
      const accepted: string[] = []
      const result = await turn({ message: '[[say:the answer]]', onAccepted: ({ how }) => accepted.push(how) })
      expect(result).toMatchObject({ outcome: 'reply', text: 'the answer', recovered: false })
      expect(result.usage?.outputTokens).toBeGreaterThan(0)
      expect(accepted).toEqual(['accepted'])
    })

    it('HEARTBEAT_OK is a receipt', async () => {
      expect(await turn({ message: '[[say:HEARTBEAT_OK]]' })).toMatchObject({ outcome: 'receipt' })
    })

    it('a key sent again runs once, whether running or finished', async () => {
      const [key, id] = [session(), randomUUID()]
      const gate = subject.gate(`again-${id}`)
      expect((await send(key, id, `[[gate:again-${id}]][[say:once]]`)).status).toBe('accepted')
      await gate.entered
      expect((await send(key, id, `[[gate:again-${id}]][[say:twice]]`)).status).toBe('in_flight')
      gate.release()
      expect(await gateway.wait(id, turnMs, soon())).toMatchObject({ status: 'ok', text: 'once' })
      expect((await send(key, id, '[[say:thrice]]')).status).toBe('in_flight')
      expect(await gateway.wait(id, turnMs, soon())).toMatchObject({ status: 'ok', text: 'once' })
      expect(subject.modelCalls(`again-${id}`)).toBe(1)
    })

    it('reconciling an answered key takes the answer and sends nothing', async () => {
      const [key, id] = [session(), randomUUID()]
      await turn({ sessionKey: key, turnKey: id, message: '[[say:kept]]' })
      expect(await turn({ sessionKey: key, turnKey: id, message: `[[say:other ${id}]]`, reconcile: true })).toMatchObject({
        text: 'kept',
        recovered: true,
      })
      expect(subject.modelCalls(`other ${id}`)).toBe(0)
    })

    it('waiting for an unknown run is no error', async () => {
      expect(await gateway.wait(randomUUID(), 100, soon())).toEqual({ status: 'pending' })
    })

    it('a sign of life is given at once', async () => {
      const began = clock.monotonic()
      const { payload } = await subject.client.request(SIGN_OF_LIFE.method, SIGN_OF_LIFE.params)
      expect(payload).toMatchObject({ status: 'timeout' })
      expect(clock.monotonic() - began).toBeLessThan(5_000)
    })

    it('an empty session has an empty history', async () => {
      expect(await history(session(), randomUUID())).toMatchObject({
        rows: [],
        pending: [],
        receipts: [],
        hasActiveRun: false,
        liveRunId: null,
      })
    })

    it('an unknown agent is refused as configuration, and the key stays free', async () => {
      const error = await failure(turn({ sessionKey: session('ghost'), message: 'hello' }))
      expect(error).toMatchObject({ code: 'UNKNOWN_AGENT', class: 'configuration', ended: true })
    })

    it('unknown parameters and methods are refused', async () => {
      const params = { sessionKey: session(), message: 'x', idempotencyKey: randomUUID(), surprise: 1 }
      expect(await failure(subject.client.request('agent', params))).toMatchObject({
        code: 'GATEWAY_REJECTED',
        class: 'terminal',
      })
      expect(await failure(subject.client.request('no.such.method', {}))).toMatchObject({ code: 'GATEWAY_REJECTED' })
    })

    it('session keys are lower-cased', async () => {
      const id = randomUUID()
      await turn({ sessionKey: `agent:writer:UPPER-${id}`, message: '[[say:found]]' })
      expect((await history(`agent:writer:upper-${id}`, id)).rows.at(-1)?.text).toBe('found')
    })

    it('messages of a session are answered one at a time, in order', async () => {
      const key = session()
      const ids = [randomUUID(), randomUUID(), randomUUID()]
      const gate = subject.gate(`fifo-${ids[0]}`)
      for (const [index, id] of ids.entries()) {
        await send(key, id, index === 0 ? `[[gate:fifo-${id}]][[say:${index}]]` : `[[say:${index}]]`)
      }
      await gate.entered
      expect((await history(key, ids[1] ?? '')).receipts).toEqual([ids[1]])
      gate.release()
      for (const [index, id] of ids.entries()) {
        expect(await gateway.wait(id, turnMs, soon())).toMatchObject({ status: 'ok', text: String(index) })
      }
    })

    it('a model that refuses is a failed turn that has ended', async () => {
      expect(await failure(turn({ message: '[[fail:400]]' }))).toMatchObject({ code: 'TURN_FAILED', ended: true })
    })

    it('a failed turn that is reconciled is not run again', async () => {
      const [key, id] = [session(), randomUUID()]
      await failure(turn({ sessionKey: key, turnKey: id, message: '[[fail:400]]' }))
      expect(await failure(turn({ sessionKey: key, turnKey: id, message: '[[fail:400]]', reconcile: true }))).toMatchObject({
        ended: true,
      })
    })

    it('stopping a turn aborts it and confirms its end', async () => {
      const [key, id] = [session(), randomUUID()]
      const gate = subject.gate(`stop-${id}`)
      const stop = new AbortController()
      const running = failure(turn({ sessionKey: key, turnKey: id, message: `[[gate:stop-${id}]]`, signal: stop.signal }))
      await gate.entered
      stop.abort(new StopTurn('discard'))
      expect(await running).toMatchObject({ code: 'TURN_ABORTED', ended: true })
      expect(await history(key, id)).toMatchObject({ hasActiveRun: false })
      expect(await turn({ sessionKey: key, message: '[[say:next]]' })).toMatchObject({ text: 'next' })
    })

    it('a turn over its deadline is aborted', async () => {
      const id = randomUUID()
      const error = await failure(turn({ turnKey: id, message: `[[hang]]`, timeoutMs: 3000 }))
      expect(error).toMatchObject({ code: 'TURN_TIMEOUT', ended: true })
    })

    it('an abort ends what is queued behind the run, and those keys are spent', async () => {
      const [key, first, second] = [session(), randomUUID(), randomUUID()]
      const gate = subject.gate(`behind-${first}`)
      await send(key, first, `[[gate:behind-${first}]]`)
      await send(key, second, '[[say:never]]')
      await gate.entered
      expect((await gateway.abort(key, soon())).abortedRunId).toBe(first)
      expect(await gateway.wait(second, turnMs, soon())).toMatchObject({ status: 'error' })
      await until(key, second, ({ pending }) => pending.some((item) => item.runId === second && item.state === 'cancelled'))
      expect(await failure(turn({ sessionKey: key, turnKey: second, message: '[[say:never]]', reconcile: true }))).toMatchObject({
        code: 'TURN_KEY_SPENT',
        ended: true,
      })
      expect((await gateway.abort(key, soon())).abortedRunId).toBeNull()
    })

    it('agents are added by one patch and can be addressed at once', async () => {
      const agents = ['late-one', 'late-two'].map((slug) => ({ slug, name: slug, workspace: `${subject.workspaceRoot}/${slug}` }))
      await putAgents(subject.client, agents, soon())
      expect((await listAgents(subject.client, soon())).map(({ slug }) => slug)).toEqual(
        expect.arrayContaining(['late-one', 'late-two']),
      )
      expect(await turn({ sessionKey: session('late-two'), message: '[[say:here]]' })).toMatchObject({ text: 'here' })
    })

    it('a patch on a stale hash is refused, and agents cannot be dropped by a patch', async () => {
      const { hash } = await getConfig(subject.client, soon())
      await putAgents(
        subject.client,
        [{ slug: 'editor', name: 'Editor 2', workspace: `${subject.workspaceRoot}/editor` }],
        soon(),
      )
      const stale = subject.client.request('config.patch', { baseHash: hash, raw: '{"cron":{"enabled":false}}' })
      expect(await failure(stale)).toMatchObject({ code: 'CONFIG_CONFLICT', class: 'retryable' })
      const drop = patchConfig(subject.client, { agents: { entries: { editor: null } } }, soon())
      expect(await failure(drop)).toMatchObject({ code: 'GATEWAY_REJECTED' })
    })

    it('an agent uses its own tools and nobody else, one MCP session for each of its sessions', async () => {
      await using tools = await startTestTools()
      const bearer = `secret-${randomUUID()}`
      const workspace = `${subject.workspaceRoot}/tooler`
      const agent = { slug: 'tooler', name: 'Tooler', workspace }
      await putAgents(subject.client, [{ ...agent, tools: { url: tools.url, bearer } }], soon())
      const key = session('tooler')
      const echo = (args: object, name = 'echo') => `[[tool:${name} ${JSON.stringify(args)}]]`
      const first = await turn({
        sessionKey: key,
        message: `${echo({ text: 'hello' })}${echo({ text: 'x', fail: 'no' })}[[say:{{1.said}}, {{2}}]]`,
      })
      expect(first.text).toMatch(/^hello, (?:.|\n)*You may not say x\./)
      const second = await turn({
        sessionKey: key,
        message: `${echo({ text: '{{turn}}?', times: '7' })}[[say:again]] turn: abc234`,
      })
      expect(second.text).toBe('again')
      await turn({ sessionKey: session('tooler'), message: `${echo({ text: 'elsewhere' })}[[say:ok]]` })
      const [a, b, c, d] = tools.calls
      expect(tools.calls.map(({ args }) => args)).toEqual([
        { text: 'hello' },
        { text: 'x', fail: 'no' },
        { text: 'abc234?', times: 7 },
        { text: 'elsewhere' },
      ])
      expect(new Set(tools.calls.map((call) => call.bearer))).toEqual(new Set([`Bearer ${bearer}`]))
      expect(a?.session).toMatch(/^[0-9a-f-]{36}$/)
      expect([b?.session, c?.session]).toEqual([a?.session, a?.session])
      expect(d?.session).not.toBe(a?.session)
      expect(tools.calls.flatMap(({ extra }) => extra)).toEqual([])
      expect(tools.methods.filter((method) => method === 'initialize')).toHaveLength(2)
      expect(tools.methods.slice(0, 2)).toEqual(['initialize', 'notifications/initialized'])

      // What the schema forbids never leaves the gateway, and what is another agent's is not there.
      const bad = await turn({
        sessionKey: key,
        message: `${echo({ text: 'x', fail: 'yes' })}${echo({ text: 'x', more: 1 })}[[say:{{1}} | {{2}}]]`,
      })
      expect(bad.text).toMatch(/Validation failed for tool(?:.|\n)* \| (?:.|\n)*Validation failed for tool/)
      const stranger = await turn({ message: `${echo({ text: 'x' }, 'mc-tooler__echo')}[[say:{{1}}]]` })
      expect(stranger.text).toMatch(/not found/i)
      // Offered or not, each session connects to every server.
      expect(tools.methods.filter((method) => method === 'initialize')).toHaveLength(3)
      expect(tools.calls).toHaveLength(4)

      // Addresses are shown, tokens are not. A changed entry is used from the next turn on.
      const shown = JSON.stringify((await getConfig(subject.client, soon())).config)
      expect(shown).toContain(tools.url)
      expect(shown).not.toContain(bearer)
      await putAgents(subject.client, [{ ...agent, tools: { url: `${tools.url}/2`, bearer: 'changed' } }], soon())
      await turn({ sessionKey: key, message: `${echo({ text: 'new' })}[[say:ok]]` })
      expect(tools.calls.at(-1)).toMatchObject({ bearer: 'Bearer changed', args: { text: 'new' } })
      expect(tools.calls.at(-1)?.session).not.toBe(a?.session)
    })

    it('a removed agent is unknown; removing it again is fine', async () => {
      await putAgents(subject.client, [{ slug: 'leaver', name: 'Leaver', workspace: `${subject.workspaceRoot}/leaver` }], soon())
      await removeAgent(subject.client, 'leaver', soon())
      expect(await failure(turn({ sessionKey: session('leaver'), message: 'hello' }))).toMatchObject({ ended: true })
      await removeAgent(subject.client, 'leaver', soon())
    })

    it('an agent that was removed and made again answers, in a session without a past', async () => {
      const agent = { slug: 'returner', name: 'Returner', workspace: `${subject.workspaceRoot}/returner` }
      const sessionKey = session('returner')
      await putAgents(subject.client, [agent], soon())
      await turn({ sessionKey, message: '[[say:first life]]' })
      await removeAgent(subject.client, 'returner', soon())
      await recreateAgent(subject.client, 'returner', `${subject.workspaceRoot}/scratch`, soon())
      await putAgents(subject.client, [agent], soon())
      expect(await turn({ sessionKey, message: '[[say:second life]]' })).toMatchObject({ text: 'second life' })
    })

    it('a wrong token surfaces at once', async () => {
      await using client = createClient({ clock }, { url: subject.url, token: 'wrong' })
      expect(await failure(client.connected(soon()))).toMatchObject({ code: 'GATEWAY_AUTH', class: 'configuration' })
      expect(client.lastError?.code).toBe('GATEWAY_AUTH')
    })

    it('an agent that was removed and came back by a patch is refused, as are all; removed, made and put, it answers', async () => {
      const agent = { slug: 'revenant', name: 'Revenant', workspace: `${subject.workspaceRoot}/revenant` }
      const [key, other] = [session('revenant'), session()]
      await putAgents(subject.client, [agent], soon())
      await removeAgent(subject.client, 'revenant', soon())
      await failure(send(key, randomUUID(), 'its database is being closed'))
      expect((await failure(putAgents(subject.client, [agent], soon()))).message).toContain('recovery restart')
      const refusal = await failure(send(key, randomUUID(), 'refused'))
      expect([refusal.code, isTakenForDeleted(refusal)]).toEqual(['UNKNOWN_AGENT', true])
      expect(await failure(send(other, randomUUID(), 'refused'))).toMatchObject({ code: 'GATEWAY_BUSY', ended: true })
      await removeAgent(subject.client, 'revenant', soon())
      await recreateAgent(subject.client, 'revenant', `${subject.workspaceRoot}/scratch`, soon())
      // It has done it all the same, and says so until it is started again.
      expect((await failure(putAgents(subject.client, [agent], soon()))).message).toContain('recovery restart')
      expect(await turn({ sessionKey: key, message: '[[say:second life]]' })).toMatchObject({ text: 'second life' })
      expect(await turn({ sessionKey: other, message: '[[say:well again]]' })).toMatchObject({ text: 'well again' })
    })

    it('killed in mid-turn and restarted: reconciling gives exactly one answer', async () => {
      const [warm, cold] = [session(), session('editor')]
      const [ran, lost, behind] = [randomUUID(), randomUUID(), randomUUID()]
      await turn({ sessionKey: warm, message: '[[say:warm]]' })
      const gate = subject.gate(`kill-${ran}`)
      const message = `[[gate:kill-${ran}]][[say:survived]]`
      const boots: string[] = []
      const stopListening = subject.client.onBoot((bootId) => boots.push(bootId))
      const open = turn({ sessionKey: warm, turnKey: ran, message })
      await gate.entered
      await send(warm, behind, '[[say:never]]')
      const before = subject.client.current?.bootId
      await subject.crashAndRestart()
      stopListening()
      expect(boots).toHaveLength(1)
      expect(boots[0]).not.toBe(before)
      gate.release()

      // The runner that lived through it, and a second one that only knows the key, tell the same story.
      const first = await open
      const second = await turn({ sessionKey: warm, turnKey: ran, message, reconcile: true })
      expect(second.text).toBe(first.text)
      expect(first.text).not.toBe('')
      const seen = await until(warm, ran, (snapshot) => !snapshot.hasActiveRun)
      const own = seen.rows.findIndex((row) => row.inputKey === ran)
      expect(seen.rows.slice(own).filter((row) => row.role === 'assistant' && row.stopReason === 'stop')).toHaveLength(1)
      expect(seen.rows.some((row) => row.stopReason === 'error')).toBe(false)

      // Accepted and never begun: the key is burnt.
      expect(await failure(turn({ sessionKey: warm, turnKey: behind, message: '[[say:never]]', reconcile: true }))).toMatchObject(
        {
          code: 'TURN_KEY_SPENT',
          ended: true,
        },
      )
      // Never arrived: the same key runs.
      expect(await turn({ sessionKey: cold, turnKey: lost, message: '[[say:first time]]', reconcile: true })).toMatchObject({
        text: 'first time',
      })
    })

    it('an answered key that is sent again after a restart is spoiled, and the answer still found', async () => {
      const [key, id] = [session(), randomUUID()]
      await turn({ sessionKey: key, turnKey: id, message: '[[say:good]]' })
      await subject.crashAndRestart()
      expect((await send(key, id, '[[say:good]]')).status).toBe('accepted')
      expect(await gateway.wait(id, turnMs, soon())).toMatchObject({ status: 'error' })
      expect((await history(key, id)).rows.at(-1)).toMatchObject({ runId: id, stopReason: 'error' })
      expect(await turn({ sessionKey: key, turnKey: id, message: '[[say:good]]', reconcile: true })).toMatchObject({
        text: 'good',
      })
    })
  })
}
