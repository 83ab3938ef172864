/** The image, built and at work, where there is Docker: test/proof/container.ts as a test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { whyNoDocker } from './proof/docker.ts'

const PROOF = fileURLToPath(new URL('proof/container.ts', import.meta.url))
const missing = await whyNoDocker()
if (missing !== null) process.stderr.write(`skipped: the container image: ${missing}\n`)

it.skipIf(missing !== null)('builds, works and stops as its page says', { timeout: 45 * 60_000 }, async () => {
  const proof = spawn(process.execPath, [PROOF, '--port', '3901'], { stdio: 'inherit' })
  expect(await once(proof, 'close')).toEqual([0, null])
})
