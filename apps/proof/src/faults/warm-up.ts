/**
 * The first message of a stage: agents are made in the gateway, programs load what they load late. A round that met all that would
 * measure first times, and which cell that is depends on the order.
 */
import { markerText } from '../stage/model.ts'
import type { Stage } from '../stage/stage.ts'
import { AGENTS, LOOK_MS, lookAt } from './round.ts'
import type { Posted } from './verify.ts'
import { isQuiet, judge } from './verify.ts'

/** Resolves when every agent has answered. @throws Error when one does not, or the signal's reason */
export async function warmUp({ person, model, clock }: Stage, signal: AbortSignal): Promise<void> {
  const taskId = await person.createTask('Warm-up')
  const posted: Posted[] = []
  for (const agent of AGENTS) {
    const marker = `warm${agent}`
    model.behave(marker, { tool: true, until: null, thinking: () => undefined })
    const content = `@${agent} ${markerText(marker)}`
    posted.push({ marker, content, id: await person.post(taskId, content), wantsReply: true })
  }
  let found = await lookAt(person, [taskId])
  while (!isQuiet(posted, found)) {
    await clock.sleep(LOOK_MS, signal)
    found = await lookAt(person, [taskId])
  }
  for (const { marker } of posted) model.forget(marker)
  const { lost, duplicates, explained } = judge(posted, await lookAt(person, [taskId]))
  const troubles = [...lost, ...duplicates, ...explained]
  if (troubles.length > 0) throw new Error(`The first messages of a stage went wrong: ${troubles.join('; ')}`)
}
