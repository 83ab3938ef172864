/** What all parts of one simulation share. */
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'
import type { BackendPart } from './backend.ts'
import type { GatewayPart } from './gateway.ts'
import type { Network, Outcome } from './network.ts'
import type { Seeded } from './seeded.ts'
import type { Part, Time } from './time.ts'
import type { Trace } from './trace.ts'
import type { Moment, Weather } from './weather.ts'

export interface Violation {
  /** What does not hold, in a few words. */
  readonly invariant: string
  readonly detail: string
}

export interface World {
  readonly time: Time
  readonly trace: Trace
  readonly random: Seeded
  readonly network: Network
  readonly backend: BackendPart
  readonly caller: { readonly accountId: string; readonly serviceToken: string }
  /** Wall clock when true time was 0. */
  readonly start: number
  /** What is never down: service managers, people, whoever repairs things. */
  readonly outside: Part
  readonly weather: () => Weather
  readonly violate: (invariant: string, detail: string) => void
  /** Runs one function of the backend for a caller over the network. */
  serve(from: Part, kind: 'query' | 'mutation', name: string, args: Record<string, unknown>): Promise<Outcome>
  startGatewaySoon(gateway: GatewayPart): void
  /** Something has just happened, where `part` is at work: a chance for what goes wrong at the worst moment. */
  moment(moment: Moment, part: Part): void
  agentId(slug: string): string | null
  /** Slug of an agent that is not this one. */
  otherAgent(slug: string): string | null
  delivery(id: string): Doc<'deliveries'> | null
}
