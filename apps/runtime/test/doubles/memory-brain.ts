/**
 * A backend in memory: one account, the real lane rules of packages/shared, the answers of the service contract. Strict: a call it
 * does not know, or arguments that break the contract, throw. Faults are named and armed one by one.
 */
import type { FunctionReference } from 'convex/server'
import { getFunctionName } from 'convex/server'
import type { Clock, Random } from '@mission-control/shared/clock'
import type { LaneEffect, LaneEvent } from '@mission-control/shared/lanes/events'
import type { LaneItem } from '@mission-control/shared/lanes/item'
import { newItem } from '@mission-control/shared/lanes/item'
import { DELIVERY_POLICY, HEARTBEAT_POLICY, LEASE_BUSY_MS, LEASE_IDLE_MS, ORPHAN_MS } from '@mission-control/shared/lanes/policy'
import { transition } from '@mission-control/shared/lanes/transition'
import type * as C from '@mission-control/shared/service-contract'
import type { Brain, Watcher } from '../../src/brain/brain.ts'
import { BrainError } from '../../src/brain/errors.ts'

export interface MemoryItem {
  readonly id: string
  readonly lane: string
  readonly type: C.ClaimedItem['type']
  item: LaneItem
  body: string
  replies: string[]
  failures: C.FailArgs[]
  runs: C.RunReport[]
  /** Reports of attempts whose claim was lost. */
  late: C.RunReport[]
}

type Name =
  | 'hello'
  | 'checkIn'
  | 'goOffline'
  | 'claim'
  | 'settle'
  | 'fail'
  | 'release'
  | 'reportUsage'
  | 'begin'
  | 'ready'
  | 'signals'
  | 'list'
  | 'profiles'
  | 'upsertHeartbeat'

export interface MemoryBrain extends Brain {
  /** A person's mutation: the item is committed and the subscription fires. */
  add(lane: string, body: string): MemoryItem
  readonly items: ReadonlyMap<string, MemoryItem>
  /** Names of all calls so far, in order. */
  readonly calls: { name: Name; args: Record<string, unknown>; at: number }[]
  roster: C.RosterEntry[]
  work: Set<string>
  setSignals(patch: Partial<C.Signals>): void
  stop(id: string): void
  /** The next `count` calls of this name take effect and lose their answer. */
  loseAnswers(name: Name, count: number): void
  /** Calls fail without effect for as long as this returns an error. */
  fault: ((name: Name, args: Record<string, unknown>) => Error | null) | null
  /** Holds up this call on its way to the backend. */
  delay: ((name: Name) => Promise<void> | null) | null
  /** The next call of this name takes effect and is answered when the returned function is called. */
  holdAnswer(name: Name): () => void
  /** Calls fail without effect while true. */
  down: boolean
  tokenRefused: boolean
  setConnected(connected: boolean): void
  /** The ready subscription fails and stays silent. */
  breakReady(): void
  /** Subscriptions stop firing while true: a half-open socket. */
  silent: boolean
  /** Another installation takes over, as after our lease ran out. */
  takeOver(): void
  /** Our lease ran out and nobody took over. */
  expire(): void
}

export function createMemoryBrain({ clock, random }: { clock: Clock; random: Random }): MemoryBrain {
  const items = new Map<string, MemoryItem>()
  const calls: MemoryBrain['calls'] = []
  const ready = new Set<Watcher<C.ReadyHeads>>()
  const signalWatchers = new Set<Watcher<C.Signals>>()
  const connectionListeners = new Set<(connected: boolean) => void>()
  const lost = new Map<Name, number>()
  /** The newest heartbeat slot of each agent that began. */
  const slots = new Map<string, number>()
  const holding = new Map<Name, Promise<void>>()
  let signals: C.Signals = { rosterVersion: 1, stopSeq: 0, controlSeq: 0, command: null, commandSeq: 0, paused: false }
  let epoch = 0
  let active: { instanceId: string; boot: string; leaseUntil: number } | null = null
  let connected = true
  let count = 0

  const isActive = ({ item }: MemoryItem) => ['ready', 'claimed', 'waiting'].includes(item.state)
  const heads = (): C.ReadyHeads =>
    [...items.values()]
      .filter(({ item }) => item.state === 'ready')
      .sort((a, b) => a.item.dueAt - b.item.dueAt)
      .slice(0, 8)
      .map(({ id, item }) => ({ id, dueAt: item.dueAt }))
  let lastHeads = '[]'
  const fire = () => {
    const now = heads()
    if (brain.silent || JSON.stringify(now) === lastHeads) return
    lastHeads = JSON.stringify(now)
    // As over a socket: never inside the caller's own call.
    queueMicrotask(() => ready.forEach((watcher) => watcher.value(now)))
  }

  function apply(row: MemoryItem, event: LaneEvent): ReturnType<typeof transition> {
    const policy = row.type === 'heartbeat' ? HEARTBEAT_POLICY : DELIVERY_POLICY
    const result = transition(row.item, event, clock.now(), policy, { closed: null })
    if (result.kind !== 'changed') return result
    row.item = { ...row.item, ...result.patch }
    if (result.effects.some(({ type }: LaneEffect) => type === 'promoteNext')) promote(row.lane)
    return result
  }

  function promote(lane: string): void {
    const rows = [...items.values()].filter((row) => row.lane === lane)
    if (rows.some(isActive)) return
    const next = rows.filter(({ item }) => item.state === 'queued').sort((a, b) => a.item.seq - b.item.seq)[0]
    if (next) apply(next, { type: 'activate', hold: null })
  }

  const refuse = (code: 'SUPERSEDED' | 'STALE_FENCE' | 'PAUSED' | 'TOKEN_REFUSED' | 'NOT_FOUND'): never => {
    throw new BrainError('refused', code, code)
  }
  const mine = (claimed: number) => active !== null && claimed === epoch
  const find = (id: string): MemoryItem => items.get(id) ?? refuse('NOT_FOUND')
  const orStale = (result: ReturnType<typeof transition>) => (result.kind === 'refused' ? refuse('STALE_FENCE') : result)

  function claimed(row: MemoryItem, reconcile: boolean): C.ClaimedItem {
    const slug = row.lane.split('/')[0] ?? 'agent'
    const { item } = row
    return {
      id: row.id,
      fence: item.fence,
      turnKey: `${row.id}.${item.turn}`,
      turnCode: 'k7q2zx',
      reconcile,
      sessionKey: `agent:${slug}:acct1:task:${row.lane.split('/')[1] ?? 't'}`,
      type: row.type,
      attempt: item.attempts,
      depth: 0,
      committedAgoMs: 5,
      deadlineInMs: 900_000,
      agent: { id: slug, slug, name: slug },
      context: {
        title: 'A title',
        body: row.body,
        task: null,
        message: null,
        thread: [],
        voidEarlier: false,
        effectsDone: [],
        heartbeat: null,
      },
    }
  }

  const handlers: Record<Name, (args: never) => unknown> = {
    hello(args: C.HelloArgs): C.HelloResult {
      const same = active?.instanceId === args.instanceId && active.boot === args.boot
      if (active !== null && !same && active.leaseUntil > clock.now() && active.instanceId !== args.instanceId) {
        return { role: 'standby', activeLeaseMs: active.leaseUntil - clock.now() }
      }
      if (!same) {
        epoch += 1
        for (const row of items.values()) apply(row, { type: 'lapse', reason: 'runtime gone', random: random.next() })
      }
      active = { instanceId: args.instanceId, boot: args.boot, leaseUntil: clock.now() + LEASE_IDLE_MS }
      return { role: 'active', epoch, now: clock.now(), rosterVersion: signals.rosterVersion, controlSeq: signals.controlSeq }
    },
    checkIn(args: C.CheckInArgs): C.CheckInResult {
      if (!mine(args.epoch) || active === null) return { superseded: true }
      active.leaseUntil = clock.now() + (args.held.length > 0 ? LEASE_BUSY_MS : LEASE_IDLE_MS)
      const held = new Map(args.held.map(({ id, fence }) => [id, fence]))
      for (const row of items.values()) {
        const { item } = row
        if (item.state === 'claimed' && item.dueAt < clock.now()) {
          apply(row, { type: 'lapse', reason: 'deadline', random: random.next() })
        } else if (
          item.state === 'claimed' &&
          item.claimedBy === epoch &&
          !held.has(row.id) &&
          (item.claimedAt ?? 0) < clock.now() - ORPHAN_MS
        )
          apply(row, { type: 'orphan' })
      }
      const oldest = heads()[0]
      return {
        superseded: false,
        now: clock.now(),
        rosterVersion: signals.rosterVersion,
        controlSeq: signals.controlSeq,
        oldestDueInMs: oldest ? oldest.dueAt - clock.now() : null,
        stop: args.held
          .filter(({ id, fence }) => {
            const { item } = find(id)
            return item.state !== 'claimed' || item.stopAt !== null || item.fence !== fence
          })
          .map(({ id }) => id),
        work: args.dueAgents.map(({ agentId }) => agentId).filter((id) => brain.work.has(id)),
      }
    },
    goOffline(args: C.EpochArgs) {
      if (!mine(args.epoch)) return null
      for (const row of items.values())
        if (row.item.state === 'claimed') apply(row, { type: 'release', fence: row.item.fence, ended: false })
      active = null
      brain.setSignals({ controlSeq: signals.controlSeq + 1 })
      return null
    },
    claim(args: C.ClaimArgs): C.ClaimResult {
      if (args.ids.length === 0 || args.ids.length > 16) throw new Error('claim: 1 to 16 ids')
      if (!mine(args.epoch)) return refuse('SUPERSEDED')
      if (signals.paused) return refuse('PAUSED')
      const got: C.ClaimedItem[] = []
      let notDueInMs: number | null = null
      for (const row of args.ids.map(find)) {
        if (row.item.state === 'ready' && row.item.dueAt > clock.now())
          notDueInMs = Math.min(notDueInMs ?? Infinity, row.item.dueAt - clock.now())
        const reconcile = row.item.turnOpen
        if (apply(row, { type: 'claim', epoch }).kind === 'changed') got.push(claimed(row, reconcile))
      }
      if (got.length > 0 && active !== null) active.leaseUntil = Math.min(active.leaseUntil, clock.now() + LEASE_BUSY_MS)
      return { items: got, notDueInMs }
    },
    begin(args: C.HeartbeatArgs): C.HeartbeatResult {
      if (!mine(args.epoch)) return refuse('SUPERSEDED')
      if (args.slot <= (slots.get(args.agentId) ?? -Infinity)) return { skip: 'slot_done' }
      const lane = `${args.agentId}/own`
      if ([...items.values()].some((row) => row.lane === lane && isActive(row))) return { skip: 'lane_busy' }
      slots.set(args.agentId, args.slot)
      const row = insert(lane, 'heartbeat', 'heartbeat')
      apply(row, { type: 'claim', epoch })
      return { item: claimed(row, false) }
    },
    settle(args: C.SettleArgs): C.SettleResult {
      const row = find(args.id)
      const result = orStale(apply(row, { type: 'settle', fence: args.fence, outcome: args.outcome }))
      if (result.kind === 'changed' && row.item.state === 'delivered') {
        row.runs.push(args.run)
        if (args.outcome === 'reply') row.replies.push(args.reply ?? '')
      }
      return { state: row.item.state, messageId: null, replayed: result.kind === 'replayed' }
    },
    fail(args: C.FailArgs): C.FailResult {
      const row = find(args.id)
      orStale(apply(row, { ...args, type: 'fail', retryAfterMs: args.retryAfterMs ?? 0, random: random.next() }))
      row.failures.push(args)
      return { state: row.item.state, retryInMs: row.item.state === 'ready' ? row.item.dueAt - clock.now() : null }
    },
    release(args: C.ReleaseArgs) {
      orStale(apply(find(args.id), { type: 'release', fence: args.fence, ended: args.ended }))
      return null
    },
    reportUsage(args: Pick<C.SettleArgs, 'id' | 'fence' | 'run'>): boolean {
      find(args.id).late.push(args.run)
      return true
    },
    ready: heads,
    signals: () => signals,
    list: (args: C.RosterArgs): C.RosterPage => {
      const from = Number(args.cursor ?? 0)
      const page = brain.roster.slice(from, from + args.limit)
      return {
        rosterVersion: signals.rosterVersion,
        agents: page,
        cursor: from + page.length < brain.roster.length ? String(from + page.length) : null,
      }
    },
    profiles: ({ ids }: { ids: string[] }): C.AgentProfile[] => {
      if (ids.length > 20) throw new Error('profiles: at most 20 ids')
      return ids.map((id) => ({
        id,
        profileHash: brain.roster.find((agent) => agent.id === id)?.profileHash ?? '',
        soul: `soul of ${id}`,
        identity: '',
        user: '',
      }))
    },
    upsertHeartbeat: () => null,
  }

  function insert(lane: string, type: MemoryItem['type'], body: string): MemoryItem {
    count += 1
    const row: MemoryItem = {
      id: `d${count}`,
      lane,
      type,
      item: newItem(count, clock.now()),
      body,
      replies: [],
      failures: [],
      runs: [],
      late: [],
    }
    items.set(row.id, row)
    promote(lane)
    return row
  }

  async function call(fn: FunctionReference<'query' | 'mutation'>, args: object, signal?: AbortSignal): Promise<never> {
    signal?.throwIfAborted()
    const name = getFunctionName(fn).split(':')[1] as Name
    const handler = handlers[name]
    if (handler === undefined) throw new Error(`the memory brain has no ${getFunctionName(fn)}`)
    calls.push({ name, args: args as Record<string, unknown>, at: clock.monotonic() })
    await Promise.resolve()
    if (brain.down) throw new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'down')
    if (brain.tokenRefused) return refuse('TOKEN_REFUSED')
    await brain.delay?.(name)
    const fault = brain.fault?.(name, args as Record<string, unknown>)
    if (fault) throw fault
    const result = handler(args as never)
    fire()
    const losing = lost.get(name) ?? 0
    if (losing > 0) {
      lost.set(name, losing - 1)
      throw new BrainError('unreachable', 'CONVEX_UNREACHABLE', 'the answer was lost')
    }
    const until = holding.get(name)
    holding.delete(name)
    await until
    return structuredClone(result) as never
  }

  const watch = <T>(watchers: Set<Watcher<T>>, watcher: Watcher<T>, value: () => T) => {
    watchers.add(watcher)
    queueMicrotask(() => watchers.has(watcher) && watcher.value(value()))
    return () => void watchers.delete(watcher)
  }

  const brain: MemoryBrain = {
    items,
    calls,
    roster: [],
    work: new Set(),
    down: false,
    tokenRefused: false,
    silent: false,
    fault: null,
    delay: null,
    add(lane, body) {
      const row = insert(lane, 'mention', body)
      fire()
      return row
    },
    setSignals(patch) {
      signals = { ...signals, ...patch }
      if (!brain.silent) queueMicrotask(() => signalWatchers.forEach((watcher) => watcher.value(signals)))
    },
    stop(id) {
      apply(find(id), { type: 'stop' })
      brain.setSignals({ stopSeq: signals.stopSeq + 1 })
    },
    holdAnswer(name) {
      const { promise, resolve } = Promise.withResolvers<void>()
      holding.set(name, promise)
      return resolve
    },
    loseAnswers: (name, times) => void lost.set(name, times),
    takeOver() {
      active = { instanceId: 'other', boot: 'other', leaseUntil: clock.now() + LEASE_IDLE_MS }
      epoch += 1
      for (const row of items.values()) apply(row, { type: 'lapse', reason: 'runtime gone', random: random.next() })
    },
    expire() {
      active = null
      for (const row of items.values()) apply(row, { type: 'lapse', reason: 'runtime gone', random: random.next() })
      fire()
    },
    setConnected(value) {
      connected = value
      brain.silent = !value
      connectionListeners.forEach((listener) => listener(value))
    },
    breakReady() {
      brain.silent = true
      ready.forEach((watcher) => watcher.error(new BrainError('server', 'CONVEX_UNREACHABLE', 'the query failed')))
    },
    watchReady: (watcher) => watch(ready, watcher, heads),
    watchSignals: (watcher) => watch(signalWatchers, watcher, () => signals),
    mutate: call,
    query: call,
    connected: () => connected,
    onConnection(listener) {
      connectionListeners.add(listener)
      return () => connectionListeners.delete(listener)
    },
    close: () => Promise.resolve(),
  }
  return brain
}
