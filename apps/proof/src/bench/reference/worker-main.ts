/** graphile-worker as a process of its own, as our runtime is one. Says when each job starts. */
import { run } from 'graphile-worker'
import { parentOf } from '../stage/child.ts'
import { machineMs } from '../stage/machine-clock.ts'
import type { FromWorker } from './graphile.ts'

const { say } = parentOf<never, FromWorker>()
await run({
  connectionString: process.env['BENCH_POSTGRES'] ?? '',
  concurrency: 3,
  noHandleSignals: true,
  parsedCronItems: [],
  taskList: {
    deliver(payload) {
      const at = machineMs()
      say({ type: 'started', key: (payload as { key: string }).key, at })
    },
  },
})
say({ type: 'ready' })
