/** `trace`: one delivery's life, attempt by attempt, with the time each step took. */
import { EXIT } from '@mission-control/shared/exit-codes'
import { service } from '../service.ts'
import { formatTrace } from '../trace/format.ts'
import { aboutDelivery, withBackend } from './ask.ts'
import type { CommandIo, CommonOptions } from './context.ts'

export interface TraceOptions extends CommonOptions {
  readonly json?: boolean
}

/** @returns the exit code */
export async function trace(id: string, options: TraceOptions, io: CommandIo): Promise<number> {
  return withBackend(options, io, async (brain, signal) => {
    const found = await aboutDelivery(id, io, () => brain.query(service.delivery, { id }, signal))
    if (found === null) return EXIT.failed
    io.out(options.json ? JSON.stringify(found, null, 2) : formatTrace(found))
    return EXIT.ok
  })
}
