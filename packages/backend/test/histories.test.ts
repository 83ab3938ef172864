/** Random histories of people, agents and runtimes keep the queue's promises. `proof/histories.ts` runs thousands of them. */
import type { Functions } from '@mission-control/embedded'
import { beforeAll, describe, it } from 'vitest'
import { openConvexTest } from './harness/convex-test.ts'
import { buildFunctions } from './harness/embedded.ts'
import { onEmbedded, proveHistories } from './proof/histories.ts'

/** The same with every run, so that a red test is the change's doing. `proof/histories.ts --seed` looks further. */
const SEED = 20_778

describe('random histories', () => {
  let functions: Functions
  beforeAll(async () => {
    functions = await buildFunctions()
  })

  it(
    'one in flight per lane, first in first out, nothing lost, nothing twice, attempts capped, poison alone (embedded)',
    { timeout: 240_000 },
    () => proveHistories(onEmbedded(functions, true), { runs: 50, length: 40, seed: SEED }),
  )

  it('the same on convex-test', { timeout: 240_000 }, () => proveHistories(openConvexTest, { runs: 4, length: 25, seed: SEED }))
})
