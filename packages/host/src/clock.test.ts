import { describe, expect, it } from 'vitest'
import { systemClock } from './clock.ts'

describe('systemClock.sleep', () => {
  it('rejects with the reason of the signal when it aborts', async () => {
    const reason = new Error('stop')
    await expect(systemClock.sleep(10_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
  it('does not return early for a delay longer than a timer can hold', async () => {
    const stop = new AbortController()
    const slept = systemClock.sleep(2 ** 31 + 5, stop.signal).then(
      () => 'returned',
      () => 'aborted',
    )
    await systemClock.sleep(20)
    stop.abort()
    expect(await slept).toBe('aborted')
  })
})
