/** The environment as one zod schema, built from the table of variables. */
import { z } from 'zod'
import { SERVICE_TOKEN_PATTERN } from '@mission-control/shared/service-token'
import type { Variable, VariableName } from './variables.ts'
import { VARIABLES } from './variables.ts'

/** Called for each value that was used differently from how it was given. */
export type Warn = (sentence: string) => void

type Parsed<N extends VariableName> =
  Extract<(typeof VARIABLES)[number], { name: N }> extends { kind: 'integer' }
    ? number
    : Extract<(typeof VARIABLES)[number], { name: N }> extends { required: true } | { default: string }
      ? string
      : string | null

export type Environment = { readonly [N in VariableName]: Parsed<N> }

/** An empty variable counts as unset: that is what compose files and unit files produce for a value left out. */
const unset = (value: unknown) => (typeof value === 'string' && value.trim() === '' ? undefined : value)

export function environmentSchema(warn: Warn): z.ZodType<Environment> {
  const shape = Object.fromEntries(VARIABLES.map((variable) => [variable.name, fieldOf(variable, warn)]))
  return z.object(shape) as unknown as z.ZodType<Environment>
}

function fieldOf(variable: Variable, warn: Warn): z.ZodType<string | number | null> {
  const value = valueOf(variable, warn)
  if (variable.default !== undefined) return z.preprocess((given) => unset(given) ?? variable.default, value)
  if (variable.required) {
    const needed = z.string({
      error: `${variable.name} is not set: ${variable.about} Set it${variable.example ? `, for example ${variable.example}` : ''}.`,
    })
    return z.preprocess(unset, needed.pipe(value))
  }
  return z.preprocess((given) => unset(given) ?? null, value.nullable())
}

function valueOf(variable: Variable, warn: Warn): z.ZodType<string | number, string> {
  const text = z.string().trim()
  const malformed = (what: string) =>
    `${variable.name} is not ${what}: ${variable.about}${variable.example ? ` Set it to something like ${variable.example}.` : ''}`
  switch (variable.kind) {
    case 'integer':
      return text
        .regex(/^-?\d+$/, {
          error: (issue) =>
            `${variable.name} is not a whole number${variable.unit ? ' of milliseconds' : ''}: "${String(issue.input)}". Set it to a number${rangeText(variable)}.`,
        })
        .transform((digits) => clamp(Number(digits), variable, warn))
    case 'choice':
      return text.toLowerCase().refine((value) => variable.choices?.includes(value), {
        error: malformed(`one of ${variable.choices?.join(', ') ?? ''}`),
      })
    case 'url':
      return text
        .refine((value) => hasScheme(value, ['http:', 'https:']), { error: malformed('an http(s) URL') })
        .transform((value) => value.replace(/\/+$/, ''))
    case 'wsUrl':
      return text.refine((value) => hasScheme(value, ['ws:', 'wss:']), { error: malformed('a ws(s) URL') })
    case 'account':
      return text.regex(/^[0-9a-z]{1,64}$/, { error: malformed('an account id (lower-case letters and digits)') })
    case 'token':
      // The value itself never stands in the message.
      return text.regex(SERVICE_TOKEN_PATTERN, {
        error: `${variable.name} is not a service token (mcs_<accountId>_<43 characters>): create one for this account and set it.`,
      })
    case 'host':
      return text.regex(/^[0-9A-Za-z.:_-]+$/, { error: malformed('an address') })
    case 'path':
    case 'text':
    case 'secret':
      return text.refine((value) => !value.includes('\0'), { error: malformed('a text') })
  }
}

function clamp(value: number, { name, min = -Infinity, max = Infinity }: Variable, warn: Warn): number {
  const used = Math.min(max, Math.max(min, value))
  if (used !== value) warn(`${name}=${value} is outside ${min} to ${max}; ${used} is used.`)
  return used
}

const rangeText = ({ min, max }: Variable) => (min === undefined || max === undefined ? '' : ` from ${min} to ${max}`)

function hasScheme(value: string, schemes: readonly string[]): boolean {
  return URL.canParse(value) && schemes.includes(new URL(value).protocol)
}
