/** Who did something, and who is told of it. */
import type { ActorType, PartyType } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'

export interface Actor {
  readonly type: ActorType
  /** A user's tokenIdentifier, an agent's id, or the name of the part of the system. */
  readonly id: string
  readonly name: string
}

/** Somebody who can be assigned, subscribed, mentioned or notified. */
export interface Party {
  readonly type: PartyType
  readonly id: string
}

export const userActor = (member: Doc<'memberships'>): Actor => ({ type: 'user', id: member.userId, name: member.name })
export const agentActor = (agent: Doc<'agents'>): Actor => ({ type: 'agent', id: agent._id, name: agent.name })
export const SYSTEM: Actor = { type: 'system', id: 'system', name: 'Mission Control' }

export const samePerson = (a: Party | Actor, b: Party | Actor): boolean => a.type === b.type && a.id === b.id
