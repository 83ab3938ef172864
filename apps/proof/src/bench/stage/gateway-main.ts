/**
 * The gateway of the bench, a process of its own: the strict stand-in of packages/openclaw with a model that answers at once, so that
 * what is measured is ours. Says when it took each turn.
 */
import { startFakeGateway } from '@mission-control/openclaw/testing/fake-gateway'
import { parentOf } from './child.ts'
import type { FromGateway, ToGateway } from './gateway.ts'
import { keysIn } from './messages.ts'
import { machineMs } from './machine-clock.ts'

const { say, onMessage } = parentOf<ToGateway, FromGateway>()
const agents = (process.env['BENCH_GATEWAY_AGENTS'] ?? '').split(',')
const gateway = await startFakeGateway({
  agents,
  // The first thing it does with a turn it has accepted is to ask the model.
  respond({ prompt }) {
    const at = machineMs()
    say({ type: 'accepted', key: keysIn(prompt).at(-1) ?? '', at })
    return 'done'
  },
})
onMessage(() => void gateway.dropConnections())
say({ type: 'listening', url: gateway.url, token: gateway.token })
