/** The hot path reads the same number of documents however long an account has existed. `proof/growth.ts` shows it at 200,000. */
import { expect, it } from 'vitest'
import { buildFunctions, openEmbedded } from './harness/embedded.ts'
import { openGrowing } from './proof/growth.ts'

it(
  'reads as many documents with 6,000 messages, deliveries, activities and notifications as with 1,000',
  { timeout: 120_000 },
  async () => {
    const backend = await openEmbedded(await buildFunctions())
    try {
      const growing = await openGrowing(backend)
      await growing.growTo(1_000)
      await growing.measure()
      const small = await growing.measure()
      await growing.growTo(6_000)
      await growing.measure()
      expect(await growing.measure()).toEqual(small)
      for (const [name, reads] of Object.entries(small)) expect([name, reads > 0 && reads < 500]).toEqual([name, true])
    } finally {
      await backend.close()
    }
  },
)
