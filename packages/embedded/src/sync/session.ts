/**
 * One sync socket. Messages change what is wanted (queries, identity) or queue a mutation; one loop at a time brings the client
 * up to date and says so in a Transition whose start is always the end of the one before. Mutations run in order, one at a time;
 * their answer goes out before the Transition that covers them, and that Transition goes out even when nothing changed, because
 * the client's promise waits for it. Credentials that are refused or run out are an AuthError and the end of the socket: the client
 * fetches a new token, connects again and repeats what was not answered. Nothing runs meanwhile as whoever it was before.
 */
import type { WebSocket } from 'ws'
import { authorizeAdminMessage, authorizeToken, NOBODY, type Principal } from '../auth/authorize.ts'
import type { Engine } from '../engine.ts'
import { FunctionError, RequestError } from '../errors.ts'
import { parseArgs } from '../http/body.ts'
import { encodeTs, decodeTs, failureMessage } from '../http/routes.ts'
import type { Json, JsonObject } from '../values/json.ts'
import { createOutbox } from './outbox.ts'
import { parseMessage, type CallMessage, type ClientMessage, type QueryModification } from './protocol.ts'

export interface Session {
  close(code: number, reason: string): Promise<void>
}

const PING_EVERY_MS = 15_000 // clients give up after 60 s without a message
const MAX_SILENT_PINGS = 8 // 120 s without a pong, as in production
const CLOSE_ANSWER_MS = 2_000 // for a client to say goodbye too; one that is gone must not hold up the end of the process
const MAX_QUEUED_MUTATIONS = 1_000
const MAX_REASON_BYTES = 123 // of a WebSocket close frame
const CLOSE_BAD_MESSAGE = 1008
const CLOSE_INTERNAL = 1011
const LONGEST_SLEEP_MS = 60_000 // wall clocks jump: a token's expiry is looked at again within a minute
const FATAL_CLOSE = 1008

export function createSession(engine: Engine, ws: WebSocket, onClose: () => void): Session {
  const { core, log } = engine
  const set = engine.live.open({ onDirty: () => void refresh() })
  const outbox = createOutbox(ws)
  const ended = new AbortController()
  let sessionId: string | null = null
  let principal: Principal = NOBODY
  let version = { querySet: 0, identity: 0, ts: 0n }
  // What the client asked for; the next transition reaches it.
  let wanted = { querySet: 0, identity: 0 }
  let removed: number[] = []
  // Timestamp of a mutation that was answered and whose transition has not gone out. It must go out after the answer, even when
  // the client has seen that timestamp already: its promise waits for the next transition.
  let owedTs: bigint | null = null
  let refreshing = false
  const inbox: ClientMessage[] = []
  let reading = false
  // A mutation runs as whoever the client was when it sent it.
  const mutations: { message: CallMessage; as: Principal }[] = []
  let mutating = false

  async function refresh(): Promise<void> {
    if (refreshing || ended.signal.aborted || expired(principal)) return
    refreshing = true
    try {
      while (!ended.signal.aborted && (set.hasDirty() || behind())) {
        await transition()
        await outbox.ready()
      }
    } catch (error) {
      fail(error)
    } finally {
      refreshing = false
    }
  }

  function behind(): boolean {
    return version.querySet !== wanted.querySet || version.identity !== wanted.identity || owedTs !== null
  }

  async function transition(): Promise<void> {
    const target = { ...wanted }
    const gone = removed
    removed = []
    const { ts, changes } = await set.advance()
    if (ended.signal.aborted) return
    const end = { ...target, ts: ts > version.ts ? ts : version.ts }
    const modifications: JsonObject[] = gone.map((queryId) => ({ type: 'QueryRemoved', queryId }))
    for (const { queryId, result } of changes) {
      const { logLines, journal } = result
      modifications.push(
        result.ok
          ? { type: 'QueryUpdated', queryId, value: result.value, logLines, journal }
          : {
              type: 'QueryFailed',
              queryId,
              errorMessage: failureMessage(result.message, result.requestId),
              logLines,
              journal,
              ...(result.data !== undefined && { errorData: result.data }),
            },
      )
    }
    const pays = owedTs !== null && end.ts >= owedTs
    const moved = end.querySet !== version.querySet || end.identity !== version.identity || pays
    if (modifications.length === 0 && !moved) return
    outbox.send({
      type: 'Transition',
      startVersion: onWire(version),
      endVersion: onWire(end),
      modifications,
      serverTs: engine.clock.now(),
    })
    version = end
    if (pays) owedTs = null
  }

  function modify(modification: QueryModification): void {
    if (modification.type === 'Remove') {
      set.remove(modification.queryId)
      removed.push(modification.queryId)
    } else {
      const { queryId, udfPath, args, journal } = modification
      set.add(queryId, { path: udfPath, args: parseArgs(args), journal: journal ?? null })
    }
  }

  async function authenticate(message: ClientMessage & { type: 'Authenticate' }): Promise<void> {
    const { tokenType, impersonating, baseVersion } = message
    const value = message.value ?? ''
    try {
      if (tokenType === 'User') principal = await authorizeToken(engine, value)
      else principal = tokenType === 'Admin' ? authorizeAdminMessage(engine.adminKey, value, impersonating) : NOBODY
    } catch (error) {
      // Keys that cannot be had say nothing about the token: the socket closes and the client tries again with the same one.
      if (!(error instanceof RequestError) || error.status === 503) throw error
      return refuse(error.message, baseVersion, true)
    }
    if (ended.signal.aborted) return
    set.setIdentity({ identity: principal.identity, internal: mayAskAll(principal) })
    wanted = { ...wanted, identity: baseVersion + 1 }
    if (principal.expiresAtMs < Infinity) void waitForExpiry(principal)
    void refresh()
  }

  function refuse(error: string, baseVersion: number, authUpdateAttempted: boolean): void {
    if (ended.signal.aborted) return
    outbox.send({ type: 'AuthError', error, baseVersion, authUpdateAttempted })
    close(CLOSE_BAD_MESSAGE, `AuthError: ${error}`)
  }

  /** Whether the token behind it has run out, which ends the socket. */
  function expired(as: Principal): boolean {
    if (engine.clock.now() < as.expiresAtMs) return false
    refuse('The token has expired.', Math.max(0, wanted.identity - 1), false)
    return true
  }

  async function waitForExpiry(as: Principal): Promise<void> {
    while (principal === as && !ended.signal.aborted && !expired(as)) {
      const left = Math.min(as.expiresAtMs - engine.clock.now(), LONGEST_SLEEP_MS)
      await engine.clock.sleep(Math.max(0, left), ended.signal).catch(() => {})
    }
  }

  async function drainMutations(): Promise<void> {
    if (mutating) return
    mutating = true
    for (let next = mutations.shift(); next && !ended.signal.aborted; next = mutations.shift()) {
      if (!expired(next.as)) await mutate(next.message, next.as).catch(fail)
    }
    mutating = false
  }

  async function mutate({ requestId, udfPath, args }: CallMessage, as: Principal): Promise<void> {
    const call = core.newRequestId()
    try {
      const dedupe = { session: sessionId!, request: requestId }
      const options = { identity: as.identity, internal: mayAskAll(as), requestId: call, dedupe }
      const { value, ts, logLines } = await core.call(udfPath, ['mutation'], parseArgs(args), options)
      outbox.send({ type: 'MutationResponse', requestId, success: true, result: value, ts: encodeTs(ts), logLines })
      owedTs = owedTs === null || ts > owedTs ? ts : owedTs
      void refresh()
    } catch (error) {
      outbox.send({ type: 'MutationResponse', requestId, success: false, ts: null, ...failure(error, call) })
    }
  }

  async function act({ requestId, udfPath, args }: CallMessage): Promise<void> {
    const call = core.newRequestId()
    try {
      const options = { identity: principal.identity, internal: mayAskAll(principal), requestId: call }
      const { value, logLines } = await core.call(udfPath, ['action'], parseArgs(args), options)
      outbox.send({ type: 'ActionResponse', requestId, success: true, result: value, logLines })
    } catch (error) {
      outbox.send({ type: 'ActionResponse', requestId, success: false, ...failure(error, call) })
    }
  }

  /** A function's failure is an answer; the server's is not: the socket closes and the client asks again. */
  function failure(error: unknown, call: string): JsonObject {
    if (error instanceof RequestError) return { result: failureMessage(error.message, call), logLines: [] }
    if (!(error instanceof FunctionError)) throw error
    const { message, logLines, data } = error
    return { result: failureMessage(message, call), logLines, ...(data !== undefined && { errorData: data }) }
  }

  /** One message after another: those behind an Authenticate wait until the token is verified. */
  async function readInbox(): Promise<void> {
    if (reading) return
    reading = true
    try {
      for (let message = inbox.shift(); message && !ended.signal.aborted; message = inbox.shift()) {
        const verified = receive(message)
        if (!verified) continue
        ws.pause() // the inbox must not grow meanwhile
        await verified.finally(() => ws.resume())
      }
    } catch (error) {
      fail(error)
    } finally {
      reading = false
    }
  }

  function receive(message: ClientMessage): Promise<void> | void {
    if (message.type === 'Connect') return connect(message)
    if (sessionId === null) throw new RequestError(400, 'NotConnected', 'The first message must be Connect.')
    switch (message.type) {
      case 'Authenticate':
        return authenticate(message)
      case 'ModifyQuerySet':
        if (message.baseVersion !== wanted.querySet) throw new RequestError(400, 'BadVersion', 'ModifyQuerySet skips a version.')
        for (const modification of message.modifications) modify(modification)
        wanted = { ...wanted, querySet: message.newVersion }
        return void refresh()
      case 'Mutation':
        if (mutations.length >= MAX_QUEUED_MUTATIONS) return close(FATAL_CLOSE, 'TooManyConcurrentRequests')
        mutations.push({ message, as: principal })
        return void drainMutations()
      case 'Action':
        return expired(principal) ? undefined : void act(message).catch(fail)
      case 'Event':
        return
    }
  }

  function connect(message: ClientMessage & { type: 'Connect' }): void {
    sessionId = message.sessionId
    const { maxObservedTimestamp } = message
    if (typeof maxObservedTimestamp !== 'string' || decodeTs(maxObservedTimestamp) <= engine.lastTs()) return
    // The database is older than what this client has seen: a restored backup. Going on would show it time running backwards.
    outbox.send({ type: 'FatalError', error: 'This client has seen newer data than this backend holds. Reload to continue.' })
    close(FATAL_CLOSE, 'DatabaseRestored')
  }

  function fail(error: unknown): void {
    if (error instanceof RequestError) return close(CLOSE_BAD_MESSAGE, `${error.code}: ${error.message}`)
    log.error('a sync session failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    close(CLOSE_INTERNAL, 'InternalServerError')
  }

  function close(code: number, reason: string): void {
    if (ended.signal.aborted) return
    ended.abort()
    set.close()
    ws.close(
      code,
      Buffer.from(reason)
        .subarray(0, MAX_REASON_BYTES)
        .toString('utf8')
        .replace(/\uFFFD$/, ''),
    )
  }

  /** Tells the client we live, and finds out whether it does: a half-open connection would keep its queries running for ever. */
  async function keepAlive(): Promise<void> {
    let silent = 0
    ws.on('pong', () => (silent = 0))
    for (;;) {
      await engine.clock.sleep(PING_EVERY_MS, ended.signal).catch(() => {})
      if (ended.signal.aborted) return
      if (++silent > MAX_SILENT_PINGS) return ws.terminate()
      ws.ping()
      outbox.send({ type: 'Ping' })
    }
  }

  ws.on('message', (data: Buffer, isBinary: boolean) => {
    if (ended.signal.aborted) return
    try {
      inbox.push(parseMessage(isBinary ? null : data.toString('utf8')))
      void readInbox()
    } catch (error) {
      fail(error)
    }
  })
  ws.on('error', () => ws.terminate()) // 'close' follows and cleans up
  const gone = new Promise<void>((resolve) => {
    ws.once('close', () => {
      ended.abort()
      set.close()
      onClose()
      resolve()
    })
  })
  void keepAlive()
  return {
    async close(code, reason) {
      close(code, reason)
      const closed = new AbortController()
      void engine.clock.sleep(CLOSE_ANSWER_MS, closed.signal).then(
        () => ws.terminate(),
        () => {}, // it answered
      )
      await gone
      closed.abort()
    },
  }
}

/** Acting as a user, the admin goes through the user's guards; as itself it may call everything, the CLI's system queries included. */
const mayAskAll = ({ admin, identity }: Principal): boolean => admin && identity === null

function onWire(version: { querySet: number; identity: number; ts: bigint }): Json {
  return { querySet: version.querySet, identity: version.identity, ts: encodeTs(version.ts) }
}
