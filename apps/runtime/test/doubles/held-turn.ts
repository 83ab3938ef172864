/** Turns for tests of the tools: as much of a claimed item as they look at. */
import type { ClaimedItem } from '@mission-control/shared/service-contract'
import type { TurnInFlight } from '../../src/agent-tools/turns-in-flight.ts'

export function heldTurn(
  turnCode: string,
  { lane = 'lane', taskId = null, agentId = 'agent1' }: { lane?: string; taskId?: string | null; agentId?: string } = {},
): TurnInFlight & { readonly end: AbortController } {
  const end = new AbortController()
  const item = {
    id: `item-${turnCode}`,
    fence: 7,
    turnCode,
    sessionKey: lane,
    type: 'mention',
    agent: { id: agentId, slug: agentId, name: agentId },
    context: { task: taskId === null ? null : { id: taskId } },
  } as ClaimedItem
  return { item, interrupt: end.signal, end }
}
