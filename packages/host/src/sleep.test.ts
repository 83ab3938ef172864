import { expect, it, vi } from 'vitest'
import type { StartTimer } from './sleep.ts'
import { sleepOn } from './sleep.ts'

function oneTimer() {
  const fired: (() => void)[] = []
  const asked: number[] = []
  const startTimer: StartTimer = (ms, fire) => {
    asked.push(ms)
    fired.push(fire)
    return () => void fired.splice(fired.indexOf(fire), 1)
  }
  return { startTimer, fired, asked }
}

/** A signal that counts its listeners. */
function watched() {
  const stop = new AbortController()
  const { signal } = stop
  const on = vi.spyOn(signal, 'addEventListener')
  const off = vi.spyOn(signal, 'removeEventListener')
  return { signal, stop, listeners: () => on.mock.calls.length - off.mock.calls.length }
}

it('ends when the timer fires, and leaves no listener', async () => {
  const { startTimer, fired, asked } = oneTimer()
  const { signal, listeners } = watched()
  const slept = sleepOn(startTimer, 70, signal)
  expect(asked).toEqual([70])
  expect(listeners()).toBe(1)
  fired[0]?.()
  await slept
  expect(listeners()).toBe(0)
})

it('ends with the reason of its signal, and cancels the timer', async () => {
  const { startTimer, fired } = oneTimer()
  const { signal, stop } = watched()
  const slept = sleepOn(startTimer, 70, signal)
  const reason = new Error('stop')
  stop.abort(reason)
  await expect(slept).rejects.toBe(reason)
  expect(fired).toEqual([])
})

it('starts no timer for a signal that has aborted', async () => {
  const { startTimer, asked } = oneTimer()
  await expect(sleepOn(startTimer, 70, AbortSignal.abort('enough'))).rejects.toBe('enough')
  expect(asked).toEqual([])
})
