import { expect, it } from 'vitest'
import { countCalls } from './count-calls.ts'

const MINUTE_MS = 60_000
const [PRESENCE, POLL] = ['service/runtime:checkIn', 'service/notifications:listUndeliveredForAccount']

/** A call each `pollMs` and a presence each minute, looked at from `from` on. Calls a day. */
async function rate(pollMs: number, from: number): Promise<number> {
  let now = 0
  const counted = countCalls({ monotonic: () => now }, 3)
  for (; now < 10 * MINUTE_MS; now += 500) {
    if (now === from) counted.begin()
    if (now % MINUTE_MS === 0) counted.onCall(PRESENCE)
    if (now % pollMs === 0) counted.onCall(POLL)
  }
  return counted.perDay
}

it.each([0, 500, 59_500, 60_000, 90_000])('is the same wherever the window begins: %i ms', async (from) => {
  expect(await rate(5_000, from)).toBe(17_280 + 1_440)
})

it('sees every call beside the presence calls', async () => {
  expect(await rate(30_000, 500)).toBe(2_880 + 1_440)
})

it('tells what was called', () => {
  const counted = countCalls({ monotonic: () => 0 }, 1)
  counted.begin()
  for (const name of [POLL, PRESENCE, POLL, POLL, PRESENCE, POLL]) counted.onCall(name)
  expect(counted.summary()).toBe(`2 ${POLL}, 1 ${PRESENCE}`)
})
