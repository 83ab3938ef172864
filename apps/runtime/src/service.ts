/** The backend functions this service calls. Nothing else of the backend is reachable from here. */
import type { FunctionReference } from 'convex/server'
import { makeFunctionReference } from 'convex/server'
import type * as C from '@mission-control/shared/service-contract'

type Plain<A> = { [K in keyof A]: A[K] }
type M<A extends C.ServiceCaller, R> = FunctionReference<'mutation', 'public', Plain<A>, R>
type Q<A extends C.ServiceCaller, R> = FunctionReference<'query', 'public', Plain<A>, R>
const m = (name: string) => makeFunctionReference<'mutation'>(name) as never
const q = (name: string) => makeFunctionReference<'query'>(name) as never

export const service = {
  hello: m('service/runtime:hello') as M<C.HelloArgs, C.HelloResult>,
  checkIn: m('service/runtime:checkIn') as M<C.CheckInArgs, C.CheckInResult>,
  goOffline: m('service/runtime:goOffline') as M<C.EpochArgs, null>,
  signals: q('service/runtime:signals') as Q<C.ServiceCaller, C.Signals>,
  ready: q('service/notifications:ready') as Q<C.ServiceCaller, C.ReadyHeads>,
  claim: m('service/notifications:claim') as M<C.ClaimArgs, C.ClaimResult>,
  settle: m('service/notifications:settle') as M<C.SettleArgs, C.SettleResult>,
  fail: m('service/notifications:fail') as M<C.FailArgs, C.FailResult>,
  release: m('service/notifications:release') as M<C.ReleaseArgs, null>,
  heartbeat: m('service/heartbeats:begin') as M<C.HeartbeatArgs, C.HeartbeatResult>,
  roster: q('service/agents:list') as Q<C.RosterArgs, C.RosterPage>,
  profiles: q('service/agents:profiles') as Q<C.ServiceCaller & { ids: string[] }, C.AgentProfile[]>,
  reportAgents: m('service/agents:upsertHeartbeat') as M<C.ServiceCaller & { agents: C.AgentReport[] }, null>,
} as const
