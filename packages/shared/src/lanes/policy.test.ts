import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs, DELIVERY_POLICY, HTTP_TIMEOUT_MS, LEASE_BUSY_MS, LEASE_IDLE_MS, ORPHAN_MS } from './policy.ts'

it('backs off 2 s, 4 s, 8 s, 16 s up to five minutes, plus or minus a fifth', () => {
  expect([1, 2, 3, 4, 20].map((n) => backoffMs(n, 0.5, DELIVERY_POLICY))).toEqual([2_000, 4_000, 8_000, 16_000, 300_000])
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, random) => {
      const plain = Math.min(300_000, 2_000 * 2 ** (attempts - 1))
      const delay = backoffMs(attempts, random, DELIVERY_POLICY)
      expect(delay).toBeGreaterThanOrEqual(plain * 0.8 - 1)
      expect(delay).toBeLessThanOrEqual(plain * 1.2 + 1)
    }),
  )
})

it('a claim whose answer is still on its way is never taken for an orphan', () => {
  expect(ORPHAN_MS).toBeGreaterThan(HTTP_TIMEOUT_MS)
  expect(LEASE_BUSY_MS).toBeGreaterThan(2 * 15_000)
  expect(LEASE_IDLE_MS).toBeGreaterThan(2 * 60_000)
})
