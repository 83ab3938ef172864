/**
 * What an agent is told in one turn. Pure.
 *
 * Instructions stand first, in our words (agent-texts/rules.ts). Everything people, agents or documents wrote stands in quotes or
 * between fences (agent-texts/quoted.ts). All of it travels in the message, not in the system prompt: a turn that the gateway
 * recovers after a crash has only the transcript.
 */
import type { ClaimedItem, HeartbeatContext, ThreadMessage } from '@mission-control/shared/service-contract'
import type { Part } from '../agent-texts/quoted.ts'
import { oneLine, renderParts, value } from '../agent-texts/quoted.ts'
import { ASKED, MAY_SAY_NOTHING, PROMPT_VERSION, quotedRule, RULES, SECTION, turnCodeRule } from '../agent-texts/rules.ts'

const HOUR_MS = 3_600_000

/** One section: a heading and what stands under it, a line each. */
interface Section {
  readonly heading: string
  readonly parts: readonly Part[]
}

/** The message of one turn. */
export function turnPrompt(item: ClaimedItem): string {
  const sections = [...notes(item), ...(item.type === 'heartbeat' ? heartbeatSections(item) : deliverySections(item))]
  const { fence, lines } = renderParts(
    sections.flatMap(({ parts }) => parts),
    item.turnCode,
  )
  const texts = [header(item), instructions(item, fence)]
  for (const { heading, parts } of sections) texts.push([`## ${heading}`, ...lines.splice(0, parts.length)].join('\n'))
  return texts.join('\n\n')
}

function header({ type, id, attempt, turnCode, agent, context: { task, title } }: ClaimedItem): string {
  return [
    `# ${type}`,
    `- title: ${value(title)}`,
    `- delivery: ${id} (attempt ${attempt})`,
    `- turn: ${turnCode}`,
    `- you are: @${agent.slug}, ${value(agent.name)}`,
    ...(task === null
      ? []
      : [`- task: ${task.id}, status ${task.status}, priority ${task.priority}, title ${value(task.title)}`]),
    `- prompt: version ${PROMPT_VERSION}`,
  ].join('\n')
}

function instructions({ type, turnCode, context }: ClaimedItem, fence: string): string {
  const { task, heartbeat } = context
  return [
    '## Instructions',
    ASKED[type],
    ...(heartbeat !== null && heartbeat.stale.length > 0 ? [RULES.stale] : []),
    ...(heartbeat !== null && heartbeat.unreadMentions.length > 0 ? [RULES.unread] : []),
    ...(MAY_SAY_NOTHING.has(type) ? [RULES.nothingToSay] : []),
    task === null ? RULES.replyKept : RULES.replyPosted,
    turnCodeRule(turnCode),
    quotedRule(fence),
  ].join('\n')
}

function notes({ context: { voidEarlier, effectsDone } }: ClaimedItem): Section[] {
  const done = { label: 'effects', text: effectsDone.map(oneLine).join('\n') }
  return [
    ...(voidEarlier ? [{ heading: 'Earlier requests are void', parts: [RULES.earlierVoid] }] : []),
    ...(effectsDone.length > 0 ? [{ heading: 'Already done in this turn', parts: [RULES.alreadyDone, done] }] : []),
  ]
}

function deliverySections({ context: { task, thread, message, body } }: ClaimedItem): Section[] {
  const isTold = body !== '' || (message?.attachments.length ?? 0) > 0
  return [
    ...(task && task.description !== ''
      ? [{ heading: 'Task description', parts: [{ label: 'description', text: task.description }] }]
      : []),
    ...(task?.blockedReason
      ? [{ heading: 'Why the task is blocked', parts: [{ label: 'reason', text: task.blockedReason }] }]
      : []),
    ...(thread.length > 0
      ? [{ heading: 'Thread so far', parts: thread.map((entry) => ({ label: byline(entry), text: entry.content })) }]
      : []),
    ...(isTold ? [{ heading: SECTION.toYou, parts: [{ label: message === null ? 'note' : byline(message), text: body }] }] : []),
  ]
}

function heartbeatSections({ context: { heartbeat, task, body } }: ClaimedItem): Section[] {
  if (heartbeat === null) return []
  const assigned = heartbeat.assigned.map((line) => `- ${taskLine(line)}`)
  const activity = heartbeat.recentActivity.map(({ summary, at }) => `${iso(at)} ${oneLine(summary)}`)
  return [
    { heading: 'Now', parts: [heartbeat.nowIso] },
    { heading: 'Your tasks', parts: assigned.length > 0 ? assigned : ['none'] },
    ...(task === null ? [] : [{ heading: 'Focus', parts: [`The task at the top, ${task.id}.`] }]),
    ...(heartbeat.unreadMentions.length > 0
      ? [{ heading: SECTION.unread, parts: heartbeat.unreadMentions.map(unreadLine) }]
      : []),
    ...(heartbeat.stale.length > 0 ? [{ heading: SECTION.stale, parts: heartbeat.stale.map(staleLine) }] : []),
    ...(body === '' ? [] : [{ heading: SECTION.toYou, parts: [{ label: 'note', text: body }] }]),
    {
      heading: 'Recent activity',
      parts: activity.length > 0 ? [{ label: 'activity', text: activity.join('\n') }] : ['none'],
    },
  ]
}

const taskLine = ({ id, title, status, priority }: HeartbeatContext['assigned'][number]): string =>
  `${id} [${status}, priority ${priority}] ${value(title)}`

function unreadLine({ taskId, title, from, at }: HeartbeatContext['unreadMentions'][number]): string {
  const where = taskId === null ? '' : ` on task ${taskId}`
  return `- ${iso(at)}${where}, by ${value(from)}: ${value(title)}`
}

function staleLine({ quietMs, assignees, blockedReason, ...task }: HeartbeatContext['stale'][number]): string {
  const who = assignees.map(({ type, name }) => (type === 'agent' ? `@${name}` : value(name))).join(', ')
  const why = blockedReason === null ? '' : `, blocked because ${value(blockedReason)}`
  return `- ${taskLine(task)}, quiet for ${Math.floor(quietMs / HOUR_MS)} h, assigned to ${who || 'nobody'}${why}`
}

/** Who wrote it, when, and the files beside it. All that others chose is in quotes. */
function byline({ author, createdAt, attachments }: ThreadMessage): string {
  const files = attachments.map(
    ({ name, contentType, size }) => `${value(name)} (${contentType === null ? '' : `${value(contentType)}, `}${size} bytes)`,
  )
  const beside = files.length === 0 ? '' : `, attached: ${files.join(', ')}`
  return `message of ${author.type} ${value(author.name)} at ${iso(createdAt)}${beside}`
}

const iso = (ms: number): string => new Date(ms).toISOString()
