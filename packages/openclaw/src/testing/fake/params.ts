/** Strict parameter checks with the schema that the protocol package ships: what the real gateway refuses, the fake refuses. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import type { ValidateFunction } from 'ajv'
import { rejection } from './rejection.ts'

/** Methods of the fake, with the schema of their parameters. */
export const METHODS = {
  agent: 'AgentParams',
  'agent.wait': 'AgentWaitParams',
  'agents.create': 'AgentsCreateParams',
  'agents.delete': 'AgentsDeleteParams',
  'agents.list': 'AgentsListParams',
  'agents.update': 'AgentsUpdateParams',
  'chat.history': 'ChatHistoryParams',
  'config.get': 'ConfigGetParams',
  'config.patch': 'ConfigPatchParams',
  'sessions.abort': 'SessionsAbortParams',
  'sessions.list': 'SessionsListParams',
} as const

export type Method = keyof typeof METHODS
type Checked = Method | 'connect'

export type CheckParams = (method: Checked, params: unknown) => void

export function isMethod(name: string): name is Method {
  return Object.hasOwn(METHODS, name)
}

/** Reads the schema once; the check throws INVALID_REQUEST in the words of the real gateway. */
export function createParamsCheck(): CheckParams {
  const main = createRequire(import.meta.url).resolve('@openclaw/gateway-protocol')
  const schema = JSON.parse(readFileSync(join(dirname(main), '..', 'protocol.schema.json'), 'utf8')) as { definitions: object }
  // The discriminator at the root is an OpenAPI word that Ajv would take for its own.
  const ajv = new Ajv({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'protocol', definitions: schema.definitions })
  const validators = new Map<Checked, ValidateFunction>()
  const validatorOf = (method: Checked): ValidateFunction => {
    const known = validators.get(method)
    if (known !== undefined) return known
    const name = method === 'connect' ? 'ConnectParams' : METHODS[method]
    const made = ajv.compile({ $ref: `protocol#/definitions/${name}` })
    validators.set(method, made)
    return made
  }
  // Compiled before the first client comes: acceptance must not pay for it.
  for (const method of Object.keys(METHODS) as Method[]) validatorOf(method)
  return (method, params) => {
    const validate = validatorOf(method)
    if (validate(params)) return
    const [error] = validate.errors ?? []
    const where = error?.instancePath ? `at ${error.instancePath}` : 'at root'
    const extra = (error?.params as { additionalProperty?: string } | undefined)?.additionalProperty
    const what = extra === undefined ? (error?.message ?? 'invalid') : `unexpected property '${extra}'`
    throw rejection('INVALID_REQUEST', `invalid ${method} params: ${where}: ${what}`)
  }
}
