/** What becomes of memory and disk when SQLite really runs out of room, in every way we can bring about. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { onDisk, temporaryFolder } from '../../test/fixtures/backend.ts'
import { inspect } from '../../test/fixtures/database.ts'
import type { EmbeddedConvex } from '../index.ts'
import type { Connection } from '../storage/connection.ts'

const PAGES = 200 // of 4 KiB: room for some documents and no more
const BODY = 'x'.repeat(20_000)
const unmount: (() => void)[] = []
afterEach(() => {
  for (const undo of unmount.splice(0)) undo()
})

const bodies = async (backend: EmbeddedConvex) => (await backend.query('messages:bodies', { channel: 'f' })) as string[]
const write = (backend: EmbeddedConvex, n: number) => backend.mutation('messages:send', { channel: 'f', body: `${n}${BODY}` })

/** Fills the disk with batches of four and tells what was acknowledged. */
async function fill(backend: EmbeddedConvex): Promise<string[]> {
  const acknowledged: string[] = []
  for (let batch = 0; batch < 200; batch++) {
    const numbers = [0, 1, 2, 3].map((n) => batch * 4 + n)
    const before = { ts: backend.engine.lastTs(), kept: (await bodies(backend)).length }
    const results = await Promise.allSettled(numbers.map((n) => write(backend, n)))
    const failed = results.filter((result) => result.status === 'rejected')
    for (const [at, result] of results.entries()) if (result.status === 'fulfilled') acknowledged.push(`${numbers[at]}${BODY}`)
    if (failed.length === 0) continue
    // One batch, one fate: nobody of it was acknowledged, and no number of it was used up.
    expect(failed).toHaveLength(4)
    for (const result of failed) expect(String(result.reason)).toMatch(/full|disk I\/O error/)
    expect(backend.engine.lastTs()).toBe(before.ts)
    expect(await bodies(backend)).toHaveLength(before.kept)
    return acknowledged
  }
  throw new Error('The disk never filled.')
}

/** Uses up what a batch of four did not fit into. */
async function fillOneByOne(backend: EmbeddedConvex, acknowledged: string[]): Promise<void> {
  for (let n = 5_000; n < 5_200; n++) {
    await write(backend, n)
    acknowledged.push(`${n}${BODY}`)
  }
}

/** A small file system of its own, where this machine lets us mount one. */
function smallDisk(folder: string): boolean {
  mkdirSync(folder)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return false
  }
  unmount.push(() => execFileSync('umount', ['-l', folder]))
  return true
}

describe('a full disk', () => {
  it('refuses the whole batch, keeps serving, and goes on when there is room again', async () => {
    let writing: Connection | undefined
    const dataDir = await temporaryFolder()
    const wrapConnection = (connection: Connection) => (writing = connection)
    const backend = await onDisk({ dataDir, wrapConnection, autoSchedule: false })
    writing!.all(`PRAGMA max_page_count = ${PAGES}`)
    const updates: unknown[][] = []
    backend.onUpdate('messages:bodies', { channel: 'f' }, (value) => updates.push(value as unknown[]))
    const acknowledged = await fill(backend)
    expect(acknowledged.length).toBeGreaterThan(4)
    expect(await bodies(backend)).toEqual(acknowledged)

    writing!.all(`PRAGMA max_page_count = ${PAGES * 10}`)
    await write(backend, 9_999)
    expect(await bodies(backend)).toEqual([...acknowledged, `9999${BODY}`])
    await vi.waitFor(() => expect(updates.at(-1)).toHaveLength(acknowledged.length + 1))
    await backend.close()
    expect(inspect(dataDir)).toMatchObject({ integrity: 'ok', wrongEntries: 0, dangling: 0, documents: acknowledged.length + 1 })
  })

  it('a real one: the log cannot grow, and what was acknowledged survives', async ({ skip }) => {
    const dataDir = join(await temporaryFolder(), 'disk')
    if (!smallDisk(dataDir)) return skip('this machine does not let us mount a file system')
    const ballast = join(dataDir, 'ballast')
    writeFileSync(ballast, Buffer.alloc(1_000_000))
    const backend = await onDisk({ dataDir, autoSchedule: false })
    const acknowledged = await fill(backend)
    expect(acknowledged.length).toBeGreaterThan(4)
    expect(await bodies(backend)).toEqual(acknowledged)
    await expect(fillOneByOne(backend, acknowledged)).rejects.toThrow(/full|disk I\/O error/) // still refused, still alive
    expect(await bodies(backend)).toEqual(acknowledged)

    rmSync(ballast)
    await write(backend, 9_999)
    expect(await bodies(backend)).toEqual([...acknowledged, `9999${BODY}`])
    await backend.close()
    expect(inspect(dataDir)).toMatchObject({ integrity: 'ok', wrongEntries: 0, dangling: 0, documents: acknowledged.length + 1 })
  })
})
