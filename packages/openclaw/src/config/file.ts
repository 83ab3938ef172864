/**
 * The configuration file of a gateway that is not running. While it runs the file is the gateway's own and changes go through
 * `live.ts`; before a start, what we own in it is brought up to date and everything else is left as the gateway wrote it.
 */
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { writeFileAtomically } from '../atomic-file.ts'
import { GatewayError, messageOf } from '../errors.ts'

type Json = Readonly<Record<string, unknown>>

/** The file holds the gateway token and the agents' tokens. */
const OWNER_ONLY = 0o600

/**
 * Writes `desired` when there is no file, else merges it in. Says whether it wrote. Throws GATEWAY_CONFIG_INVALID on a file that
 * is no JSON: it was edited by hand and is not ours to throw away.
 */
export async function prepareConfigFile(file: string, desired: Json): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  })
  const existing = text === null ? null : parse(file, text)
  const wanted = existing === null ? desired : mergeConfig(existing, desired)
  if (existing !== null && isDeepStrictEqual(existing, wanted)) return false
  await writeFileAtomically(file, `${JSON.stringify(wanted, null, 2)}\n`, OWNER_ONLY)
  return true
}

/** `desired` on top of `existing`: objects are merged, everything else is replaced; the models section is ours as a whole. */
export function mergeConfig(existing: Json, desired: Json): Json {
  const merged = merge(existing, desired) as Json
  return 'models' in desired ? { ...merged, models: desired.models } : merged
}

function merge(old: unknown, wanted: unknown): unknown {
  if (!isObject(old) || !isObject(wanted)) return wanted
  return { ...old, ...Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key, merge(old[key], value)])) }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(file: string, text: string): Json {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
    throw new Error('not an object')
  } catch (error) {
    throw new GatewayError('GATEWAY_CONFIG_INVALID', `${file} cannot be read: ${messageOf(error)}. Repair or remove it.`)
  }
}
