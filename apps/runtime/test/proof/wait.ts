/** Waiting for a program in a container: it tells nobody when it is ready, so its pages are asked. */
import { systemClock } from '@mission-control/host/clock'

/** A gateway starts in 20 s on two quiet cores; on cores that twenty others want it took ten times as long. */
const PATIENCE_MS = 600_000
const LOOK_MS = 250

export async function untilTrue(ask: () => Promise<boolean>): Promise<void> {
  const deadline = systemClock.monotonic() + PATIENCE_MS
  while (!(await ask())) {
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${PATIENCE_MS} ms`)
    await systemClock.sleep(LOOK_MS)
  }
}

export function untilStatus(url: string, status: number): Promise<void> {
  let last = 'no answer'
  return untilTrue(async () => {
    const answer = await fetch(url, { signal: systemClock.timeout(5_000) }).catch((error: unknown) => String(error))
    if (typeof answer === 'string') last = answer
    else last = `${answer.status} ${await answer.text()}`
    return last.startsWith(`${status} `)
  }).catch((error: Error) => {
    throw new Error(`${url}: ${error.message}; the last answer was: ${last}`)
  })
}
