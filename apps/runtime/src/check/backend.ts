/** Backend: reachable, which version, token accepted, clocks together. Reads only. */
import type { Clock } from '@mission-control/shared/clock'
import type { Brain } from '../brain/brain.ts'
import { toBrainError } from '../brain/errors.ts'
import type { RuntimeConfig } from '../config/load.ts'
import { service } from '../service.ts'
import type { CheckResult } from './result.ts'
import { fail, pass, warn } from './result.ts'

const TIMEOUT_MS = 5_000
/** HTTP dates have whole seconds, and the answer takes a moment. */
const SKEW_MS = 5_000

export async function checkReachable({ convexUrl }: RuntimeConfig, clock: Clock): Promise<CheckResult[]> {
  let response: Response
  try {
    response = await fetch(`${convexUrl}/version`, { signal: clock.timeout(TIMEOUT_MS) })
  } catch (error) {
    return [
      fail(
        'backend',
        `${toBrainError(error).message} (${convexUrl})`,
        'Start the backend, or correct CONVEX_URL.',
        'unreachable',
      ),
    ]
  }
  const version = (await response.text()).trim().slice(0, 80)
  // A backend's version is one word; web servers and proxies answer anything with a page.
  const odd = !response.ok ? `status ${response.status}` : /[\s<]/.test(version) ? 'a web page' : null
  if (odd !== null) {
    const message = `${convexUrl} answers with ${odd}: something is there, and it is no Convex backend`
    return [fail('backend', message, 'Correct CONVEX_URL.', 'unreachable')]
  }
  return [
    pass('backend', `${convexUrl} answers, version ${version || 'unknown'}`),
    clockSkew(response.headers.get('date'), clock),
  ]
}

function clockSkew(date: string | null, clock: Clock): CheckResult {
  const theirs = date === null ? NaN : Date.parse(date)
  if (Number.isNaN(theirs)) return pass('clock', 'the backend does not tell the time over HTTP; nothing here depends on it')
  const skew = Math.round((clock.now() - theirs) / 1000) * 1000
  if (Math.abs(skew) <= SKEW_MS) return pass('clock', 'agrees with the backend')
  return warn(
    'clock',
    `this machine is ${Math.abs(skew) / 1000} s ${skew > 0 ? 'ahead of' : 'behind'} the backend; delivery does not depend on it, logs do`,
    'Switch on time synchronisation (NTP).',
  )
}

/** Time to rotate a token without haste. */
const EXPIRES_SOON_MS = 7 * 24 * 3_600_000

function timeLeft(ms: number): string {
  const hours = Math.max(0, Math.floor(ms / 3_600_000))
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`
}

/** Whether people want anything to be claimed. */
function checkClaims(paused: boolean, command: string | null): CheckResult {
  if (command === 'drain')
    return warn(
      'claims',
      'a drain was asked for: nothing is claimed',
      'An admin takes it back: accounts:setCommand with command null.',
    )
  if (paused) return warn('claims', 'the account is paused: nothing is claimed', 'An admin resumes it: accounts:setPaused.')
  return pass('claims', 'neither paused nor draining')
}

export async function checkToken(brain: Brain, { accountId }: RuntimeConfig, clock: Clock): Promise<CheckResult[]> {
  try {
    const { paused, command } = await brain.query(service.signals, {})
    const { name, expiresAt } = await brain.query(service.tokenInfo, {})
    const accepted = `"${name}" is accepted for account ${accountId}`
    const claims = checkClaims(paused, command)
    if (expiresAt === null) return [pass('token', `${accepted}; it never expires by itself`), claims]
    const leftMs = expiresAt - clock.now()
    const end = `${accepted}; it expires ${new Date(expiresAt).toISOString()}, in ${timeLeft(leftMs)}`
    const token =
      leftMs < EXPIRES_SOON_MS
        ? warn('token', end, 'Rotate it (an admin calls serviceTokens:rotate) and put the new one into SERVICE_TOKEN.')
        : pass('token', end)
    return [token, claims]
  } catch (thrown) {
    return [refusalOf(thrown)]
  }
}

function refusalOf(thrown: unknown): CheckResult {
  const error = toBrainError(thrown)
  if (error.code === 'TOKEN_REFUSED')
    return fail(
      'token',
      'the backend refuses SERVICE_TOKEN: revoked, expired or of another deployment',
      error.whatToDo,
      'authentication',
    )
  if (error.kind === 'unreachable') return fail('token', error.message, error.whatToDo, 'unreachable')
  if (/Could not find (public )?function/.test(error.message)) {
    return fail(
      'token',
      'the backend has no service functions: another or an older version is deployed there',
      'Deploy packages/backend of this release.',
      'failed',
    )
  }
  return fail('token', error.message, error.whatToDo, 'failed')
}
