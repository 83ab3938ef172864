import { expect, it } from 'vitest'
import { inMemory, onDisk } from '../../test/fixtures/backend.ts'

async function values(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toContain('version=0.0.4')
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines
      .map((line) => line.split(' ') as [string, string])
      .map(([name, value]) => [name.replace('mission_control_backend_', ''), Number(value)]),
  )
}

it('metrics count what happened, and two engines count apart', async () => {
  const [backend, other] = [await onDisk(), await inMemory()]
  const { url } = await backend.listen()
  const before = await values(url)
  for (const body of ['a', 'b', 'c']) await backend.mutation('messages:send', { channel: 'c', body })
  const stop = backend.onUpdate('messages:bodies', { channel: 'c' }, () => {})
  const after = await values(url)
  stop()
  expect(after.get('mutations_total')! - before.get('mutations_total')!).toBe(3)
  expect(after.get('subscribers')).toBe(1)
  expect(after.get('database_bytes')! + after.get('wal_bytes')!).toBeGreaterThan(0)
  expect(after.get('last_commit_timestamp_seconds')! * 1_000).toBeGreaterThan(Date.now() - 60_000)
  const apart = await values((await other.listen()).url)
  expect(apart.get('mutations_total')).toBeLessThan(after.get('mutations_total')!)
  expect(apart.has('wal_bytes')).toBe(false)
})

it('health is 200 while reads and writes work and 503 with the reason when they do not', async () => {
  const backend = await onDisk()
  const { url } = await backend.listen()
  await backend.mutation('messages:send', { channel: 'c', body: 'x' })
  const well = await fetch(`${url}/health`)
  expect([well.status, await well.json()]).toEqual([200, { status: 'ok', lastCommitTs: backend.engine.lastTs().toString() }])
  await backend.engine.close() // the writer is gone, the server still answers
  const ill = await fetch(`${url}/health`)
  expect([ill.status, await ill.json()]).toEqual([
    503,
    { status: 'failing', message: expect.stringContaining('takes no more work') },
  ])
})
