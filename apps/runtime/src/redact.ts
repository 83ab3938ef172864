/**
 * Takes secrets out of texts that leave the process: log lines, health pages, reasons told to the backend. Tokens of the service and of
 * agents are known by their form, everything else by its value, because other people's errors repeat what they were given.
 */
import { redactServiceTokens } from '@mission-control/shared/service-token'
import { AGENT_TOKEN_TEXT } from './agent-tools/tokens.ts'
import type { RuntimeConfig } from './config/load.ts'

export interface Redactor {
  /** The text with every known secret as `***`. */
  readonly redact: (text: string) => string
  /** Another one to take out from now on. */
  add(secret: string): void
}

/** Shorter ones would take ordinary words apart; nobody's token is that short. */
const SHORTEST = 8

export function createRedactor(secrets: readonly string[] = []): Redactor {
  /** In every form they are written in. The longest first: one may be part of another. */
  let known: readonly string[] = []
  const redactor: Redactor = {
    redact: (text) =>
      known.reduce((rest, secret) => rest.replaceAll(secret, '***'), redactServiceTokens(text).replace(AGENT_TOKEN_TEXT, '***')),
    add(secret) {
      if (secret.length < SHORTEST) return
      const forms = new Set([...known, ...formsOf(secret)])
      known = [...forms].sort((a, b) => b.length - a.length)
    },
  }
  for (const secret of secrets) redactor.add(secret)
  return redactor
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)

/** As it is, in an address, in JSON, and in a line of our log about an answer that was JSON. */
const formsOf = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret.toWellFormed()),
  inJson(secret),
  inJson(inJson(secret)),
]

/** Everything in the configuration that nobody else may read. */
export function secretsOf({ serviceToken, externalGateway, model }: RuntimeConfig): string[] {
  const { apiKey, openaiApiKey, anthropicApiKey } = model
  return [serviceToken, externalGateway?.token, apiKey, openaiApiKey, anthropicApiKey].filter((secret) => secret !== undefined)
}
