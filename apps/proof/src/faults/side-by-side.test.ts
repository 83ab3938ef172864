import { expect, it } from 'vitest'
import { sideBySide } from './side-by-side.ts'

const forever = new AbortController().signal
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

it('takes everything once, with so many workers at most', async () => {
  const taken: number[] = []
  let most = 0
  let running = 0
  await sideBySide([1, 2, 3, 4, 5], 2, forever, async (take) => {
    most = Math.max(most, (running += 1))
    for (let item = take(); item !== undefined; item = take()) {
      taken.push(item)
      await Promise.resolve()
    }
    running -= 1
  })
  expect(taken).toEqual([1, 2, 3, 4, 5])
  expect(most).toBe(2)
})

it('starts no more workers than there is work', async () => {
  let started = 0
  await sideBySide(['one'], 6, forever, async (take) => {
    started += 1
    take()
  })
  expect(started).toBe(1)
})

it('ends the others when one fails, and waits until they have put away what they started', async () => {
  const putAway: number[] = []
  let workers = 0
  const run = sideBySide([1, 2, 3, 4], 3, forever, async (take, signal) => {
    const mine = (workers += 1)
    take()
    if (mine === 2) throw new Error('the second one failed')
    await aborted(signal)
    expect(take()).toBeUndefined()
    await Promise.resolve()
    putAway.push(mine)
  })
  await expect(run).rejects.toThrow('the second one failed')
  expect(putAway).toEqual([1, 3])
})

it('hands nothing out any more once it is told to end', async () => {
  const stop = new AbortController()
  const taken: number[] = []
  await sideBySide([1, 2, 3], 1, stop.signal, async (take) => {
    for (let item = take(); item !== undefined; item = take()) {
      taken.push(item)
      stop.abort()
    }
  })
  expect(taken).toEqual([1])
})
