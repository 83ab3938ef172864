/**
 * The issuer of this data folder: an ES256 key pair in `auth/`, made once. `key.json` is the private part, for its owner only, and is
 * read by nothing but `./mc token`; `jwks.json` is what the backend verifies tokens with.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { LOCAL_ALGORITHM, LOCAL_AUDIENCE, LOCAL_ISSUER } from '@mission-control/shared/local-issuer'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { z } from 'zod'
import type { Person } from './person.ts'

const privateKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  /** The key's own thumbprint (RFC 7638), so that no two keys share a name. */
  kid: z.string(),
})
type PrivateKey = z.infer<typeof privateKey>

export interface LocalIssuer {
  /** The public key set, absolute: the backend's `AUTH_LOCAL_JWKS`. */
  readonly jwksFile: string
  /** A JWT for this person; both times in milliseconds since the epoch, of which a token keeps whole seconds. */
  sign(person: Person, validity: { fromMs: number; untilMs: number }): Promise<string>
}

/**
 * Makes the key pair when the folder has none, and the public file when it is missing or another key's.
 * @throws Error with one sentence when the key file is damaged
 */
export async function openLocalIssuer(dataDir: string): Promise<LocalIssuer> {
  const { folder, keyFile, jwksFile } = files(dataDir)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = readKey(keyFile) ?? (await makeKey(keyFile))
  const { d: _private, ...publicPart } = key
  const keys = `${JSON.stringify({ keys: [{ ...publicPart, alg: LOCAL_ALGORITHM, use: 'sig' }] }, null, 2)}\n`
  if (read(jwksFile) !== keys) {
    // A backend that runs reads it at any moment: it must never see half of it.
    renameSync(writeNew(jwksFile, keys, 0o644), jwksFile)
  }
  const signingKey = await importJWK(key, LOCAL_ALGORITHM).catch((cause: unknown) => damaged(keyFile, cause))
  return {
    jwksFile,
    sign: ({ subject, name, email }, { fromMs, untilMs }) =>
      new SignJWT({ ...(name !== null && { name }), ...(email !== null && { email, email_verified: true }) })
        .setProtectedHeader({ alg: LOCAL_ALGORITHM, kid: key.kid, typ: 'JWT' })
        .setIssuer(LOCAL_ISSUER)
        .setSubject(subject)
        .setAudience(LOCAL_AUDIENCE)
        .setIssuedAt(Math.floor(fromMs / 1_000))
        .setExpirationTime(Math.floor(untilMs / 1_000))
        .sign(signingKey),
  }
}

/** The next `openLocalIssuer` makes another key; a running backend takes it over with the first token that it signs. */
export function forgetKey(dataDir: string): void {
  rmSync(files(dataDir).keyFile, { force: true })
}

function files(dataDir: string) {
  const folder = path.resolve(dataDir, 'auth')
  return { folder, keyFile: path.join(folder, 'key.json'), jwksFile: path.join(folder, 'jwks.json') }
}

function readKey(file: string): PrivateKey | null {
  const text = read(file)
  if (text === null) return null
  chmodSync(file, 0o600)
  try {
    return privateKey.parse(JSON.parse(text))
  } catch (cause) {
    return damaged(file, cause)
  }
}

async function makeKey(file: string): Promise<PrivateKey> {
  const pair = await generateKeyPair(LOCAL_ALGORITHM, { extractable: true })
  const jwk = await exportJWK(pair.privateKey)
  const key = privateKey.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) })
  const made = writeNew(file, `${JSON.stringify(key, null, 2)}\n`, 0o600)
  try {
    // Unlike a rename this fails when another process was faster: its key is the key.
    linkSync(made, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return readKey(file) ?? damaged(file, error)
  } finally {
    rmSync(made, { force: true })
  }
  return key
}

/** Writes a file beside `file`, safely on disk before anybody can take it for `file`. @returns its path */
function writeNew(file: string, content: string, mode: number): string {
  const fresh = `${file}.${process.pid}-${crypto.randomUUID()}`
  const handle = openSync(fresh, 'wx', mode)
  try {
    writeFileSync(handle, content)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  chmodSync(fresh, mode) // whatever the umask
  return fresh
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function damaged(file: string, cause: unknown): never {
  throw new Error(`${file} holds no key of ours: delete it to have a new one made, which ends all tokens given out so far.`, {
    cause,
  })
}
