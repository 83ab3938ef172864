import { systemClock } from '@mission-control/host/clock'
import { createClient } from '../src/client.ts'
import { startFakeGateway } from '../src/testing/fake-gateway.ts'
import { contract } from './contract.ts'

contract({
  name: 'fake',
  turnMs: 10_000,
  async start() {
    const fake = await startFakeGateway({ agents: ['writer', 'editor'] })
    const client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
    return {
      url: fake.url,
      token: fake.token,
      client,
      workspaceRoot: '/nowhere',
      gate: fake.gate,
      modelCalls: (text) => fake.turns.filter((turn) => turn.prompt.includes(text)).length,
      async crashAndRestart() {
        await fake.crash()
        await fake.restart()
        client.reconnect()
        await client.connected()
      },
      async stop() {
        await client.close()
        await fake.stop()
      },
    }
  },
})
