/** Items as `claim` answers them, one of each type, and what tests vary in them. */
import { DELIVERY_TYPES } from '@mission-control/shared/enums'
import type { DeliveryType } from '@mission-control/shared/enums'
import type {
  Author,
  ClaimedItem,
  DeliveryContext,
  HeartbeatContext,
  ThreadMessage,
} from '@mission-control/shared/service-contract'

export const AT = Date.UTC(2030, 0, 1)
const HOUR = 3_600_000

const ADA: Author = { type: 'user', name: 'Ada' }
export const said = (id: string, author: Author, content: string, patch: Partial<ThreadMessage> = {}): ThreadMessage => ({
  ...{ id, author, content, attachments: [], createdAt: AT },
  ...patch,
})

export const TASK: NonNullable<DeliveryContext['task']> = {
  ...{ id: 't1', title: 'Ship it', status: 'in_progress', priority: 2, description: 'Release 1.0', blockedReason: null },
}
export const HEARTBEAT: HeartbeatContext = {
  nowIso: '2030-01-01T00:00:00.000Z',
  assigned: [
    { id: 't1', title: 'Ship it', status: 'in_progress', priority: 2 },
    { id: 't2', title: 'Write the "how to"', status: 'assigned', priority: 3 },
  ],
  recentActivity: [{ summary: 'Ada: task_created "Ship it"', at: AT - HOUR }],
  unreadMentions: [],
  stale: [],
}

/** What each type says of itself; made as the backend makes it. */
const OF_TYPE: Readonly<Record<DeliveryType, Partial<DeliveryContext>>> = {
  mention: {
    title: 'Ada mentioned you: Ship it',
    body: '@writer please draft the notes',
    message: said('m2', ADA, '@writer please draft the notes'),
  },
  assignment: { title: 'You are assigned: Ship it', task: { ...TASK, status: 'assigned' } },
  thread_update: {
    title: 'Ada wrote: Ship it',
    body: 'The date moves to May.',
    message: said('m2', ADA, 'The date moves to May.'),
  },
  status_change: {
    title: 'Status changed: Ship it',
    body: 'The task moved from in_progress to review.',
    task: { ...TASK, status: 'review' },
  },
  response_request: {
    title: 'Editor asks you: Ship it',
    body: '@writer is the changelog complete?',
    message: said('m2', { type: 'agent', name: 'Editor' }, '@writer is the changelog complete?'),
  },
  response: {
    title: 'Your request was answered: Ship it',
    body: 'Editor answered your request.\n\nIt is complete.',
    message: said('m3', { type: 'agent', name: 'Editor' }, 'It is complete.'),
  },
  continuation: { title: 'Go on with your work: Ship it', body: 'You took this assignment. Go on with the work now.' },
  heartbeat: { title: 'Heartbeat: Ship it', heartbeat: HEARTBEAT },
}

export function itemOf(type: DeliveryType, patch: Partial<DeliveryContext> = {}, over: Partial<ClaimedItem> = {}): ClaimedItem {
  const before = said('m1', { type: 'agent', name: 'Editor' }, 'I am ready.', { createdAt: AT - HOUR })
  return {
    ...{ id: 'd1', fence: 1, turnKey: 'd1.1', turnCode: 'k7q2zx', reconcile: false },
    ...{ sessionKey: 'agent:writer:a:task:t1', type, attempt: 1, depth: 0, committedAgoMs: 5, deadlineInMs: 900_000 },
    agent: { id: 'a1', slug: 'writer', name: 'Writer' },
    context: {
      ...{ title: '', body: '', task: TASK, message: null, thread: type === 'heartbeat' ? [] : [before] },
      ...{ voidEarlier: false, effectsDone: [], heartbeat: null },
      ...OF_TYPE[type],
      ...patch,
    },
    ...over,
  }
}

const FILES = [{ name: 'plan "final".pdf', contentType: 'application/pdf', size: 1_200 }]
const RETRIED = {
  voidEarlier: true,
  effectsDone: ['created the task t9 "Proofread"', 'posted to the thread of "Ship it": "Half-way."'],
}

/** By delivery type and by what is special about it. */
export const CASES: Readonly<Record<DeliveryType, Readonly<Record<string, ClaimedItem>>>> = Object.fromEntries(
  DELIVERY_TYPES.map((type) => [
    type,
    {
      plain: itemOf(type),
      'second attempt after a stop, with effects done': itemOf(type, RETRIED, { attempt: 2 }),
      'without a task': itemOf(type, { title: 'No task', task: null, thread: [] }),
      ...(type === 'heartbeat' ? heartbeatCases() : threadCases(type)),
    },
  ]),
) as unknown as Record<DeliveryType, Record<string, ClaimedItem>>

function threadCases(type: DeliveryType): Record<string, ClaimedItem> {
  const { message } = OF_TYPE[type]
  return {
    'blocked task': itemOf(type, { task: { ...TASK, status: 'blocked', blockedReason: 'No access to the build server.' } }),
    'files in the thread and beside the message': itemOf(type, {
      thread: [said('m1', ADA, 'The plan:\n\n1. draft\n2. ship', { attachments: FILES, createdAt: AT - HOUR })],
      message: message ? { ...message, attachments: [...FILES, { name: 'data.bin', contentType: null, size: 3 }] } : null,
    }),
  }
}

function heartbeatCases(): Record<string, ClaimedItem> {
  return {
    'of the lead, with stale tasks and mentions given up': itemOf('heartbeat', {
      task: null,
      title: 'Heartbeat',
      heartbeat: {
        ...HEARTBEAT,
        assigned: [],
        unreadMentions: [{ taskId: 't4', title: 'Pricing page', from: 'Ada', at: AT - 2 * HOUR }],
        stale: [
          {
            ...{ id: 't5', title: 'Fix login', status: 'blocked', priority: 1, quietMs: 50.5 * HOUR },
            ...{ assignees: [{ type: 'agent', name: 'writer' }], blockedReason: 'Waiting for the "keys"' },
          },
          {
            ...{ id: 't6', title: 'Review me', status: 'review', priority: 3, quietMs: 30 * HOUR, blockedReason: null },
            assignees: [
              { type: 'agent', name: 'editor' },
              { type: 'user', name: 'Cy' },
            ],
          },
        ],
      },
    }),
    'with nothing to tell': itemOf('heartbeat', { task: null, heartbeat: { ...HEARTBEAT, assigned: [], recentActivity: [] } }),
  }
}
