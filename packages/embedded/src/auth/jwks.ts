/** Where a provider's public keys come from. Nothing leaves this machine: data: URIs, files and loopback only. */
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { readFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NotSupportedError } from '../errors.ts'
import type { TokenProvider } from './providers.ts'

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Reads keys that are at hand now, so that a broken key set stops the start. Keys on loopback are fetched when first needed. */
export async function openKeys({ jwks, issuer }: TokenProvider): Promise<JWTVerifyGetKey> {
  if (jwks.startsWith('data:')) return parseKeys(await readDataUri(jwks, issuer), issuer)
  if (jwks.startsWith('file:')) return keysInFile(fileURLToPath(jwks), issuer)
  if (isAbsolute(jwks)) return keysInFile(jwks, issuer)
  const url = URL.parse(jwks)
  if (url && /^https?:$/.test(url.protocol) && LOOPBACK.has(url.hostname)) return createRemoteJWKSet(url)
  throw new NotSupportedError(
    `the JWKS ${jwks} of issuer ${issuer} in auth.config (give a data: URI, an absolute path, a file: URL or a URL on loopback)`,
  )
}

/** A key that is not known sends us to the file once more: keys are rotated without a restart. */
async function keysInFile(path: string, issuer: string): Promise<JWTVerifyGetKey> {
  const read = async () => {
    try {
      return parseKeys(await readFile(path, 'utf8'), issuer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      throw new Error(`The JWKS of issuer ${issuer} could not be read: ${(error as Error).message}`, { cause: error })
    }
  }
  let known = await read()
  return async (header, token) => {
    try {
      return await known(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      known = await read()
      return known(header, token)
    }
  }
}

async function readDataUri(uri: string, issuer: string): Promise<string> {
  try {
    return await (await fetch(uri)).text()
  } catch (error) {
    throw new Error(`The JWKS of issuer ${issuer} is not a valid data: URI.`, { cause: error })
  }
}

function parseKeys(text: string, issuer: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet)
  } catch (error) {
    throw new Error(`The JWKS of issuer ${issuer} is no JSON Web Key Set: ${(error as Error).message}`, { cause: error })
  }
}
