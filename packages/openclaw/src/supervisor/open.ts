/** Opens a gateway of our own: finds the token of this installation, or draws one, and makes the supervisor. */
import { readFile } from 'node:fs/promises'
import { writeFileAtomically } from '../atomic-file.ts'
import type { SupervisorOptions } from './supervisor.ts'
import { createSupervisor, gatewayPaths } from './supervisor.ts'
import type { GatewayHost, HostDeps } from './types.ts'

const TOKEN_BYTES = 32
const OWNER_ONLY = 0o600

/** The token lives as long as the state folder: agents' sessions outlive a gateway process, and so does an adoption. */
export async function openSupervisor(deps: HostDeps, options: SupervisorOptions): Promise<GatewayHost> {
  return createSupervisor(deps, { ...options, token: options.token ?? (await ownToken(deps, options.stateDir)) })
}

async function ownToken({ random }: HostDeps, stateDir: string): Promise<string> {
  const file = gatewayPaths(stateDir).token
  const known = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (known !== '') return known
  // Hex: a token that begins with a hyphen, as base64url may, is taken for an option by command lines.
  const token = Buffer.from(random.bytes(TOKEN_BYTES)).toString('hex')
  await writeFileAtomically(file, `${token}\n`, OWNER_ONLY)
  return token
}
