/** The admin key: a random secret in the data folder, readable by its owner only. It bypasses every guard. */
import { timingSafeEqual } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '@mission-control/shared/clock'

const FILE = 'admin-key'
const SECRET_BYTES = 32

/** Reads the folder's key, or makes one. Without a folder (memory) the key lives as long as the process. */
export function loadAdminKey(folder: string | null, random: Random): string {
  if (folder) {
    try {
      const path = join(folder, FILE)
      const key = readFileSync(path, 'utf8').trim()
      chmodSync(path, 0o600)
      if (/^embedded\|[0-9a-f]{64}$/.test(key)) return key
      throw new Error(`${path} holds no admin key: delete it to have a new one made.`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  const key = `embedded|${Buffer.from(random.bytes(SECRET_BYTES)).toString('hex')}`
  if (folder) writeFileSync(join(folder, FILE), `${key}\n`, { mode: 0o600 })
  return key
}

/** Constant-time comparison. A leading `<type>:` prefix, as deployment keys have, is ignored. */
export function isAdminKey(expected: string, given: string): boolean {
  const bare = Buffer.from(given.replace(/^[a-z]+:/, ''))
  const wanted = Buffer.from(expected)
  // Comparing with itself when lengths differ keeps the time the same.
  return timingSafeEqual(bare.length === wanted.length ? bare : Buffer.from(wanted), wanted) && bare.length === wanted.length
}
