/** Client messages of the sync protocol, checked before anything acts on them. */
import { RequestError } from '../errors.ts'
import { parseJson } from '../http/body.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'

export type QueryModification =
  { type: 'Add'; queryId: number; udfPath: string; args: Json[]; journal?: string | null } | { type: 'Remove'; queryId: number }
export type ClientMessage =
  | { type: 'Connect'; sessionId: string; maxObservedTimestamp?: string | null }
  | {
      type: 'Authenticate'
      tokenType: 'User' | 'Admin' | 'None'
      value?: string | null
      baseVersion: number
      impersonating?: Json
    }
  | { type: 'ModifyQuerySet'; baseVersion: number; newVersion: number; modifications: QueryModification[] }
  | CallMessage
  | { type: 'Event' }
export interface CallMessage {
  type: 'Mutation' | 'Action'
  requestId: number
  udfPath: string
  args: Json[]
}

type Check = (value: Json | undefined) => boolean
const text: Check = (value) => typeof value === 'string'
const count: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const list: Check = (value) => Array.isArray(value)
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value)
const root: Check = (value) => value === undefined || value === null || value === ''

const MESSAGES: Readonly<Record<string, Record<string, Check>>> = {
  Connect: { sessionId: text, maxObservedTimestamp: optional(text) },
  Authenticate: {
    tokenType: (value) => value === 'User' || value === 'Admin' || value === 'None',
    value: optional(text),
    baseVersion: count,
  },
  ModifyQuerySet: { baseVersion: count, newVersion: count, modifications: list },
  Mutation: { requestId: count, udfPath: text, args: list, componentPath: root },
  Action: { requestId: count, udfPath: text, args: list, componentPath: root },
  Event: {},
}
const MODIFICATIONS: Readonly<Record<string, Record<string, Check>>> = {
  Add: { queryId: count, udfPath: text, args: list, journal: optional(text), componentPath: root },
  Remove: { queryId: count },
}

/** `frame` is null for binary frames. Throws a RequestError that names what is wrong. */
export function parseMessage(frame: string | null): ClientMessage {
  if (frame === null) throw new RequestError(400, 'BadMessage', 'Binary frames are not part of the protocol.')
  const message = check(parseJson(frame, 'The message', 'BadMessage'), MESSAGES)
  if (message['type'] === 'ModifyQuerySet') for (const change of message['modifications'] as Json[]) check(change, MODIFICATIONS)
  return message as unknown as ClientMessage
}

function check(value: Json, known: typeof MESSAGES): JsonObject {
  const type = isObject(value) ? value['type'] : undefined
  const fields = typeof type === 'string' && Object.hasOwn(known, type) ? known[type] : undefined
  if (!isObject(value) || !fields)
    throw new RequestError(400, 'BadMessage', `Unknown message type ${JSON.stringify(type ?? null)}.`)
  for (const [name, valid] of Object.entries(fields)) {
    if (!valid(value[name])) throw new RequestError(400, 'BadMessage', `${type as string}.${name} is missing or wrong.`)
  }
  return value
}
