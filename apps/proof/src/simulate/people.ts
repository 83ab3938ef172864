/** What people do meanwhile: deeds of packages/backend/test/proof, which keep the ledger of what must come of them. */
import type { Deed } from '@mission-control/backend/proof/actions'
import type { Doc } from '@mission-control/backend/convex/_generated/dataModel'
import type { Seeded } from './seeded.ts'
import type { Weather } from './weather.ts'

const WEIGHTS = {
  ...{ post: 30, edit: 4, delete: 2, assign: 8, unassign: 2, move: 5, label: 1, newTask: 2, stop: 5, pause: 3, resume: 4 },
  ...{ deleteAgent: 1.5, newSlug: 1.5, newAgent: 2, pauseAll: 0.7, resumeAll: 2, cap: 1.5, redrive: 3, read: 1 },
} as const
const GENTLE = {
  ...{ post: 40, edit: 2, delete: 1, assign: 10, unassign: 0, move: 1, label: 0, newTask: 1, stop: 1, pause: 1, resume: 4 },
  ...{ deleteAgent: 0.1, newSlug: 0.3, newAgent: 0.5, pauseAll: 0, resumeAll: 1, cap: 0.5, redrive: 2, read: 1 },
} as const

/** Mostly the first, so that things meet in one lane. */
const few = (random: Seeded): number => (random.chance(0.5) ? 0 : random.below(8))

/** @param rows of the backend, by table */
export function drawDeed(random: Seeded, rows: (table: string) => readonly unknown[], { meddle, gentle }: Weather): Deed {
  return (random.chance(meddle) ? meddling(random, rows) : null) ?? drawAny(random, gentle)
}

/** With what an agent is at work on, or is about to try again: by chance it would be seldom. */
function meddling(random: Seeded, rows: (table: string) => readonly unknown[]): Deed | null {
  const items = (rows('deliveries') as Doc<'deliveries'>[]).filter(
    ({ state, fence, taskId }) => taskId !== null && (state === 'claimed' || (state === 'ready' && fence > 0)),
  )
  if (items.length === 0) return null
  // An update that waits for its next attempt is the one that another message must not slip into.
  const updates = items.filter(({ type, state }) => type === 'thread_update' && state === 'ready')
  const onUpdate = updates.length > 0 && random.chance(0.7)
  const { taskId, agentId, state } = random.pick(onUpdate ? updates : items)
  const task = (rows('tasks') as Doc<'tasks'>[]).findIndex(({ _id }) => _id === taskId)
  if (task < 0) return null
  if (random.chance(0.1)) {
    const agent = (rows('agents') as Doc<'agents'>[]).findIndex(({ _id }) => _id === agentId)
    if (agent >= 0) return { do: 'pause', agent }
  }
  if (state === 'claimed' && random.chance(0.2)) return { do: 'stop', task, button: random.chance(0.5) }
  return { do: 'post', who: random.below(8), task, mention: onUpdate || random.chance(0.6) ? 0 : random.below(7), key: false }
}

function drawAny(random: Seeded, gentle: boolean): Deed {
  const kind = random.weighted(gentle ? GENTLE : WEIGHTS)
  const anyone = () => random.below(8)
  switch (kind) {
    case 'post':
      return {
        do: kind,
        who: anyone(),
        task: few(random),
        mention: random.chance(0.3) ? 0 : random.below(7),
        key: random.chance(0.2),
      }
    case 'edit':
      return { do: kind, message: anyone(), mention: random.below(7) }
    case 'delete':
      return { do: kind, message: anyone() }
    case 'assign':
      return { do: kind, task: few(random), agent: few(random), person: random.chance(0.2) }
    case 'unassign':
      return { do: kind, task: anyone(), agent: anyone() }
    case 'move':
      return { do: kind, task: few(random), to: random.below(7) }
    case 'label':
      return { do: kind, task: anyone(), labels: random.chance(0.5) ? ['bug'] : ['ui', 'api'] }
    case 'newTask':
      return { do: kind, agent: anyone() }
    case 'stop':
      return { do: kind, task: few(random), button: random.chance(0.5) }
    case 'pause':
    case 'resume':
    case 'deleteAgent':
    case 'newSlug':
      return { do: kind, agent: anyone() }
    case 'newAgent':
    case 'pauseAll':
    case 'resumeAll':
      return { do: kind }
    case 'cap':
      return { do: kind, turns: random.chance(0.5) ? null : random.below(5), agent: random.chance(0.5) ? null : anyone() }
    case 'redrive':
      return { do: kind, item: anyone() }
    case 'read':
      return { do: kind, who: anyone(), all: random.chance(0.5) }
  }
}

export const describeDeed = ({ do: done, ...rest }: Deed): string => `${done} ${JSON.stringify(rest)}`
