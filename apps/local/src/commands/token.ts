/** `./mc token`: a JWT of this data folder's issuer, for clients that sign in. Works whether the stack runs or not. */
import { api } from '@mission-control/backend/convex/_generated/api'
import { systemClock } from '@mission-control/host/clock'
import { ConvexHttpClient } from 'convex/browser'
import { isDataFolder } from '../stack/data-folder.ts'
import { runningStack } from '../stack/record.ts'
import { forgetKey, openLocalIssuer } from '../sign-in/local-issuer.ts'
import { OWNER, personFrom, userIdOf } from '../sign-in/person.ts'

export interface TokenOptions {
  readonly dataDir: string
  readonly subject?: string | undefined
  readonly name?: string | undefined
  readonly email?: string | undefined
  readonly lifetimeMs: number
  /** Make another key first: what was given out before is refused from then on. */
  readonly rotateKey: boolean
}

/**
 * Prints the token on stdout, alone, and whom it is for on stderr.
 * @throws Error with one sentence: no data there, a person that cannot be meant, a damaged key
 */
export async function token({ dataDir, lifetimeMs, rotateKey, ...given }: TokenOptions): Promise<void> {
  if (!isDataFolder(dataDir)) {
    throw new Error(
      `There is no Mission Control data in ${dataDir}: start the stack once with ./mc up, or name its folder with --data-dir.`,
    )
  }
  const person = personFrom(given)
  if (rotateKey) forgetKey(dataDir)
  const issuer = await openLocalIssuer(dataDir)
  const nowMs = systemClock.now()
  const untilMs = nowMs + lifetimeMs
  const jwt = await issuer.sign(person, { fromMs: nowMs, untilMs })
  const running = rotateKey ? runningStack(dataDir) : null
  if (running) await takeOver(running.backendUrl, jwt)

  const who = person.name === null ? userIdOf(person) : `${person.name} (${userIdOf(person)})`
  const owner = person.subject === OWNER.subject ? ', owner of this stack' : ''
  const say = (text: string) => process.stderr.write(`${text}\n`)
  say(`For ${who}${owner}, until ${minutes(untilMs)}. Whoever has it is this person: keep it like a password.`)
  if (owner === '') {
    const member = JSON.stringify({ userId: userIdOf(person), name: person.name ?? person.subject, role: 'member' })
    say(`Not a member yet? ./mc run memberships:add '${member}'`)
  }
  process.stdout.write(`${jwt}\n`)
}

/** The backend reads the key set again when it meets a token by another key: this one is the first. */
async function takeOver(url: string, jwt: string): Promise<void> {
  const client = new ConvexHttpClient(url, { logger: false })
  client.setAuth(jwt)
  await client.query(api.accounts.listMine, {}).catch((cause: unknown) => {
    throw new Error('The new key is made, but the running backend does not take it: stop the stack and start it again.', {
      cause,
    })
  })
}

const minutes = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
