/** The plain client as a process of its own, as the runtime is one. */
import { systemClock } from '@mission-control/host/clock'
import { parentOf } from '../stage/child.ts'
import type { FromPlain } from './process.ts'
import type { PlainOptions } from './plain.ts'
import { runPlain } from './plain.ts'

const { say } = parentOf<never, FromPlain>()
const options = JSON.parse(process.env['BENCH_PLAIN'] ?? '{}') as PlainOptions
await runPlain(options, systemClock, new AbortController().signal, {
  onReady: () => say({ type: 'ready' }),
  onDelivered: (id) => say({ type: 'delivered', id }),
})
