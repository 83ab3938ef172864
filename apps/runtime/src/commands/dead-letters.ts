/** `dead-letters`: deliveries that were given up, why, and putting them back. */
import { EXIT } from '@mission-control/shared/exit-codes'
import type { UndeliveredPage } from '@mission-control/shared/service-contract'
import { lineForTerminal } from '@mission-control/shared/unseen'
import { isRefusal, toBrainError } from '../brain/errors.ts'
import { service } from '../service.ts'
import { aboutDelivery, withBackend } from './ask.ts'
import type { CommandIo, CommonOptions } from './context.ts'
import { trace } from './trace.ts'

export interface ListOptions extends CommonOptions {
  readonly json?: boolean
  /** At most this many. */
  readonly limit?: number
  /** Go on after an earlier list. */
  readonly cursor?: string
}

const DEFAULT_LIMIT = 50
/** What the backend gives at once. */
const PAGE = 100

type Letter = UndeliveredPage['items'][number]

/** @returns the exit code */
export async function listDeadLetters(options: ListOptions, io: CommandIo): Promise<number> {
  return withBackend(options, io, async (brain, signal) => {
    const items: Letter[] = []
    const limit = options.limit ?? DEFAULT_LIMIT
    let cursor = options.cursor ?? null
    do {
      const page: UndeliveredPage = await brain.query(
        service.listDead,
        { cursor, limit: Math.min(PAGE, limit - items.length) },
        signal,
      )
      items.push(...page.items)
      cursor = page.cursor
    } while (cursor !== null && items.length < limit)
    if (options.json) io.out(JSON.stringify({ items, cursor }, null, 2))
    else for (const line of listLines(items, cursor)) io.out(line)
    return EXIT.ok
  })
}

function listLines(items: readonly Letter[], cursor: string | null): string[] {
  if (items.length === 0 && cursor === null) return ['There are no dead letters.']
  return [
    ...items.flatMap(({ id, type, agentSlug, taskTitle, dueAt, attempts, reason }) => [
      `${id}  died ${new Date(dueAt).toISOString()}  ${type} to @${agentSlug}${taskTitle === null ? '' : ` in ${JSON.stringify(lineForTerminal(taskTitle))}`}`,
      `    after ${attempts} attempt${attempts === 1 ? '' : 's'}: ${lineForTerminal(reason ?? 'no reason was kept')}`,
    ]),
    ...(cursor === null ? [] : [`There are more: dead-letters list --cursor '${cursor}'`]),
    ...(items.length === 0 ? [] : ['Put one back: dead-letters redrive <id>. Its whole story: trace <id>.']),
  ]
}

/** The letter's trace; @returns the exit code */
export const showDeadLetter = trace

export interface RedriveOptions extends CommonOptions {
  readonly json?: boolean
}

/** Puts each back to the tail of its lane, with all its attempts again. @returns the exit code */
export async function redriveDeadLetters(ids: readonly string[], options: RedriveOptions, io: CommandIo): Promise<number> {
  return withBackend(options, io, async (brain, signal) => {
    const done: { id: string; state: string | null; refused: string | null }[] = []
    for (const id of ids) {
      try {
        const answer = await aboutDelivery(id, io, () => brain.mutate(service.redrive, { id }, signal))
        done.push({ id, state: answer?.state ?? null, refused: answer === null ? 'NOT_FOUND' : null })
        if (answer !== null && !options.json) io.out(`${id}  ${answer.state}`)
      } catch (thrown) {
        if (!isRefusal(thrown, 'CONFLICT')) throw thrown
        const { message } = toBrainError(thrown)
        io.error(`${id}: nothing was put back. ${message}`)
        done.push({ id, state: null, refused: 'CONFLICT' })
      }
    }
    if (options.json) io.out(JSON.stringify({ redriven: done }, null, 2))
    return done.every(({ state }) => state !== null) ? EXIT.ok : EXIT.failed
  })
}
