/**
 * An agent that was deleted and comes back as it should: by `agents.create`. What a patch alone does stands in contract.ts.
 */
import { systemClock } from '@mission-control/host/clock'
import { expect, it } from 'vitest'
import { createClient } from '../src/client.ts'
import { putAgents, recreateAgent, removeAgent } from '../src/config/live.ts'
import { createGateway } from '../src/official-gateway.ts'
import { startFakeGateway } from '../src/testing/fake-gateway.ts'
import { runTurn } from '../src/turn/run.ts'

const soon = () => systemClock.timeout(10_000)

it('takes turns again, and its refusal is no outage of the gateway', async () => {
  const fake = await startFakeGateway({ agents: ['writer'] })
  await using client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
  try {
    const agent = { slug: 'returner', name: 'Returner', workspace: '/nowhere/returner' }
    const sessionKey = 'agent:returner:a:task:t'
    const gateway = createGateway(client)
    const turn = (turnKey: string, message: string) =>
      runTurn(
        { gateway, clock: systemClock },
        { sessionKey, turnKey, message, reconcile: false, timeoutMs: 10_000, signal: soon() },
      )
    await putAgents(client, [agent], soon())
    expect(await turn('d1.1', '[[say:first life]]')).toMatchObject({ text: 'first life' })
    await removeAgent(client, 'returner', soon())
    // Its database is being closed; then it is unknown.
    await expect(turn('d2.1', 'closing')).rejects.toMatchObject({ code: 'UNKNOWN_AGENT', ended: true })
    await expect(turn('d2.2', 'gone')).rejects.toMatchObject({ code: 'UNKNOWN_AGENT', ended: true })
    await recreateAgent(client, 'returner', '/nowhere/scratch', soon())
    await putAgents(client, [agent], soon())
    expect(await turn('d4.1', '[[say:second life]]')).toMatchObject({ text: 'second life' })
  } finally {
    await fake.stop()
  }
})
