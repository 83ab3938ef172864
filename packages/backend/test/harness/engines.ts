import { afterEach, beforeAll, describe } from 'vitest'
import type { Functions } from '@mission-control/embedded'
import type { Backend } from './backend.ts'
import { openConvexTest } from './convex-test.ts'
import { buildFunctions, openEmbedded } from './embedded.ts'

/** Runs the tests of `body` on each engine; `open` gives a fresh, empty backend that is closed after the test. */
export function onEachEngine(title: string, body: (open: () => Promise<Backend>) => void): void {
  const opened: Backend[] = []
  const keep = (backend: Backend) => {
    opened.push(backend)
    return backend
  }
  afterEach(async () => {
    for (const backend of opened.splice(0)) await backend.close()
  })
  describe(`${title} (convex-test)`, () => body(async () => keep(await openConvexTest())))
  describe(`${title} (embedded)`, () => {
    let functions: Functions
    beforeAll(async () => {
      functions = await buildFunctions()
    })
    body(async () => keep(await openEmbedded(functions)))
  })
}
