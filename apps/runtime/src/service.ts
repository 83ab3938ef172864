/** The backend functions this service calls, in their generated types. Nothing else of the backend is reachable from here. */
import { api } from '@mission-control/backend/convex/_generated/api'

const { runtime, notifications, heartbeats, agents, tools } = api.service

export const service = {
  hello: runtime.hello,
  checkIn: runtime.checkIn,
  goOffline: runtime.goOffline,
  signals: runtime.signals,
  tokenInfo: runtime.tokenInfo,
  ready: notifications.ready,
  claim: notifications.claim,
  settle: notifications.settle,
  settleMany: notifications.settleMany,
  fail: notifications.fail,
  release: notifications.release,
  reportUsage: notifications.reportUsage,
  undelivered: notifications.listUndeliveredForAccount,
  listDead: notifications.listDead,
  redrive: notifications.redrive,
  delivery: notifications.getForDelivery,
  heartbeat: heartbeats.begin,
  roster: agents.list,
  profiles: agents.profiles,
  reportAgents: agents.upsertHeartbeat,
  readTool: tools.read,
  callTool: tools.call,
} as const
