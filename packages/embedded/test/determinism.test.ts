/** In memory, with a clock and a seed, everything repeats: the same bytes, and nothing asked of timers, files or threads. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { tellStory } from './fixtures/story.ts'

const PROCESS = fileURLToPath(new URL('fixtures/story-process.ts', import.meta.url))
/** What a process may use: promises, turns of its event loop, and readers of Blobs in memory (actions store files as Blobs). */
const HARMLESS = ['PROMISE', 'Microtask', 'TickObject', 'Immediate', 'BLOBREADER']

async function inProcess(seed: number) {
  const { stdout } = await promisify(execFile)(process.execPath, [PROCESS, String(seed)], { maxBuffer: 2 ** 24 })
  return JSON.parse(stdout) as { story: string; resources: string[]; active: string[] }
}
const times = (text: string, part: RegExp) => text.match(part)?.length ?? 0

it('the same clock and seed give the same bytes, another seed gives others', async () => {
  const [first, second, other] = [await tellStory(7), await tellStory(7), await tellStory(8)]
  expect(second).toBe(first)
  expect(other).not.toBe(first)
  // The story is about something: crons, scheduled functions and actions have run, and the search found what they wrote.
  expect(times(first, /"n":70,/g)).toBeGreaterThanOrEqual(4)
  expect(times(first, /"n":50,/g)).toBeGreaterThanOrEqual(1)
  expect(times(first, /"n":60,/g)).toBeGreaterThanOrEqual(3)
  expect(times(first, /"a scheduled function failed"/g)).toBe(1)
})

it('so do processes of their own, without a timer, a file, a socket or a thread', async () => {
  const [first, second, other] = await Promise.all([inProcess(7), inProcess(7), inProcess(8)])
  expect(second.story).toBe(first.story)
  expect(first.story).toBe(await tellStory(7))
  expect(other.story).not.toBe(first.story)
  expect(first.resources).toContain('PROMISE')
  expect(first.resources.filter((type) => !HARMLESS.includes(type))).toEqual([])
  expect(first.active).toEqual([])
})
