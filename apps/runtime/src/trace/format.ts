/** A delivery's trace as text. Pure. All times are the backend's; what the runtime measured is laid on them by the backend. */
import { GATEWAY_ERRORS } from '@mission-control/openclaw/errors'
import { ERRORS } from '@mission-control/shared/errors'
import type { DeliveryTrace } from '@mission-control/shared/service-contract'
import { lineForTerminal } from '@mission-control/shared/unseen'

type Run = DeliveryTrace['runs'][number]

const iso = (at: number) => new Date(at).toISOString()

/** What the codes of a run's end mean to somebody who reads them for the first time. */
const OUTCOMES: Readonly<Record<string, string>> = {
  open: 'still running, or its runtime has not come back yet',
  reply: 'answered, the reply is in the thread',
  receipt: 'answered with nothing to post',
  skipped: 'ended without a reply: nobody wants it any more',
  released: 'given back without using up an attempt',
  lapsed: 'its runtime stopped answering',
  orphaned: 'the answer of the claim was lost; it cost no attempt',
}

export function formatTrace(trace: DeliveryTrace): string {
  const { id, type, state, agent, taskId, sessionKey, committedAt, dueAt, attempts, reason, replyId } = trace
  const head = [
    `delivery   ${id}`,
    `what       ${type} to @${agent.slug}${taskId === null ? '' : ` in task ${taskId}`}`,
    `state      ${state}${reason === null ? '' : `: ${lineForTerminal(reason)}`}`,
    ...nextStep(reason),
    `attempts   ${attempts} used, ${trace.runs.length} run${trace.runs.length === 1 ? '' : 's'}`,
    `session    ${sessionKey}`,
    ...(replyId === null ? [] : [`reply      message ${replyId}`]),
    ...(state === 'ready' ? [`next try   ${iso(dueAt)} at the earliest`] : []),
    '',
    `${'committed'.padEnd(12)}${iso(committedAt)}`,
  ]
  return [...head, ...trace.runs.flatMap((run, index) => runLines(run, index, committedAt))].join('\n')
}

/** A reason that begins with a code has a line on what to do. */
function nextStep(reason: string | null): string[] {
  const code = /^([A-Z][A-Z_]+):/.exec(reason ?? '')?.[1]
  const info = Object.entries({ ...GATEWAY_ERRORS, ...ERRORS }).find(([known]) => known === code)?.[1]
  return info === undefined ? [] : [`           -> ${info.whatToDo}`]
}

function runLines(run: Run, index: number, committedAt: number): string[] {
  const { claimedAt, sentAt, acceptedAt, repliedAt, endedAt, outcome, reason, fence, usage } = run
  const steps: [string, number | null][] = [
    ['claimed', claimedAt],
    ['sent', sentAt],
    ['accepted', acceptedAt],
    ['replied', repliedAt],
    [outcome === 'reply' || outcome === 'receipt' ? 'settled' : 'ended', endedAt],
  ]
  let before = committedAt
  const lines = steps.flatMap(([name, at]) => {
    if (at === null) return []
    const line = `  ${name.padEnd(10)}${duration(at - before).padStart(10)}${duration(at - committedAt).padStart(12)}`
    before = at
    return [line]
  })
  const meaning = OUTCOMES[outcome] ?? outcome
  return [
    '',
    `run ${index + 1} (fence ${fence})   since the step before, since the commit`,
    ...lines,
    `  ${outcome === 'failed' ? 'failed' : `${outcome}: ${meaning}`}${reason === null ? '' : ` (${lineForTerminal(reason)})`}`,
    ...(usage === null
      ? []
      : [
          `  ${lineForTerminal(usage.model ?? 'unknown model')}: ${usage.inputTokens} tokens in, ${usage.outputTokens} out${usage.costUsd === null ? '' : `, $${usage.costUsd.toFixed(4)}`}`,
        ]),
  ]
}

/** Milliseconds up to a minute, then minutes and seconds. */
function duration(ms: number): string {
  if (Math.abs(ms) < 60_000) return `+${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1000)
  return `+${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
