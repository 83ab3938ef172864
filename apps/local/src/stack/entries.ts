/** Where the programs of the stack are, in this checkout. */
import { createRequire } from 'node:module'
import path from 'node:path'

/** The checkout this file stands in. */
export const ROOT = path.resolve(import.meta.dirname, '../../../..')

const ENTRIES = {
  backend: ['@mission-control/embedded', 'bin/mission-control-backend.mjs'],
  runtime: ['@mission-control/runtime', 'bin/mission-control-runtime.mjs'],
  'fake-gateway': ['@mission-control/openclaw', 'src/testing/fake-gateway-main.ts'],
} as const

/** @returns the absolute path of a program to be run with Node */
export function entryOf(program: keyof typeof ENTRIES): string {
  const [owner, file] = ENTRIES[program]
  // Resolved as a dependency, not by a relative path, so that the arrow stands in package.json.
  const manifest = createRequire(import.meta.url).resolve(`${owner}/package.json`)
  return path.join(path.dirname(manifest), file)
}
