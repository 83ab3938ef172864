/** Checksums that callers give to be compared: hexadecimal or base64 of a SHA-256. */
import { FunctionError } from '../errors.ts'
import type { Written } from './disk.ts'

const SHA256_BYTES = 32

/** Throws when `expected` is not the checksum of what was written; undefined and null expect nothing. */
export function checkDigest(written: Written, expected: unknown): void {
  if (expected === undefined || expected === null) return
  const given = typeof expected === 'string' ? expected.trim() : ''
  const bytes = Buffer.from(given, /^[0-9a-fA-F]{64}$/.test(given) ? 'hex' : 'base64')
  if (bytes.length !== SHA256_BYTES)
    throw new FunctionError('The expected SHA-256 is neither hexadecimal nor base64 of 32 bytes.')
  if (bytes.toString('hex') !== written.sha256)
    throw new FunctionError(`The file is damaged: its SHA-256 is ${written.sha256}, expected was ${bytes.toString('hex')}.`)
}
