/** Finds the OpenClaw installation. Only paths given explicitly and PATH are looked at. */
import { access, readFile, realpath } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import { OPENCLAW_VERSION } from '../version.ts'

export interface OpenClawInstallation {
  /** Script to run with Node. */
  readonly entry: string
  /** From its package.json; null when it stands alone. */
  readonly version: string | null
}

const Package = z.object({ name: z.literal('openclaw'), version: z.string() })

/** `bin` (OPENCLAW_BIN) wins over PATH. Throws OPENCLAW_NOT_FOUND. */
export async function locateOpenClaw(env: {
  readonly OPENCLAW_BIN?: string
  readonly PATH?: string
}): Promise<OpenClawInstallation> {
  const candidates = env.OPENCLAW_BIN
    ? [env.OPENCLAW_BIN]
    : (env.PATH ?? '')
        .split(delimiter)
        .filter(Boolean)
        .map((dir) => join(dir, 'openclaw'))
  for (const candidate of candidates) {
    const entry = await realpath(candidate).catch(() => null)
    if (entry !== null) return { entry: await scriptOf(entry), version: await versionOf(entry) }
  }
  const where = env.OPENCLAW_BIN ? `OPENCLAW_BIN=${env.OPENCLAW_BIN} does not exist` : 'no "openclaw" on PATH'
  throw new GatewayError(
    'OPENCLAW_NOT_FOUND',
    `${where}. Install openclaw@${OPENCLAW_VERSION} or set OPENCLAW_BIN to its openclaw.mjs.`,
  )
}

/** A package folder is accepted in place of the script inside it. */
async function scriptOf(path: string): Promise<string> {
  const inside = join(path, 'openclaw.mjs')
  return access(inside).then(
    () => inside,
    () => path,
  )
}

async function versionOf(path: string): Promise<string | null> {
  for (const dir of [path, dirname(path), dirname(dirname(path))]) {
    const text = await readFile(join(dir, 'package.json'), 'utf8').catch(() => null)
    const parsed = text === null ? null : Package.safeParse(JSON.parse(text))
    if (parsed?.success) return parsed.data.version
  }
  return null
}
