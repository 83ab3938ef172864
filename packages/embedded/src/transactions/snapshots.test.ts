import { expect, it } from 'vitest'
import type { Catalog } from '../storage/catalog.ts'
import { openConnection, type Connection } from '../storage/connection.ts'
import { createSnapshots } from './snapshots.ts'
import type { Writer } from './writer.ts'

it('readers that fail in the middle and cannot roll back are replaced, for those who wait too', async () => {
  let [opened, closed, broken] = [0, 0, true]
  const openReader = (): Connection => {
    opened++
    const connection = openConnection(':memory:')
    return {
      ...connection,
      exec(sql) {
        if (broken && sql === 'ROLLBACK') throw new Error('cannot rollback - no transaction is active')
        return connection.exec(sql)
      },
      close() {
        closed++
        connection.close()
      },
    }
  }
  const snapshots = createSnapshots({ catalog: {} as Catalog, writer: { safe: async () => undefined } as Writer, openReader })
  const fails = () => snapshots.with(() => Promise.reject(new Error('disk I/O error')))
  const failed = await Promise.allSettled(Array.from({ length: 10 }, fails))
  expect(failed.map((one) => String((one as PromiseRejectedResult).reason))).toEqual(Array(10).fill('Error: disk I/O error'))
  expect([opened, closed]).toEqual([10, 10])
  broken = false
  expect(await snapshots.with(async ({ ts }) => ts)).toBe(0n)
  snapshots.close()
})
