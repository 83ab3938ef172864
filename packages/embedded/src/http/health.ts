/** Whether the backend can do its work right now: what a container or a supervisor asks. */
import type { Engine } from '../engine.ts'
import { ClosedError } from '../errors.ts'
import type { Reply } from './routes.ts'

/** 200 when a snapshot can be read and the writer takes work; 503 with the reason otherwise. */
export async function health(engine: Engine): Promise<Reply> {
  try {
    if (!engine.writer.isOpen())
      throw new ClosedError('The writer takes no more work: the backend is stopping, or its database failed. See the log.')
    const ts = await engine.snapshots.with((snapshot) => Promise.resolve(snapshot.ts))
    return { status: 200, body: { status: 'ok', lastCommitTs: ts.toString() } }
  } catch (error) {
    return { status: 503, body: { status: 'failing', message: error instanceof Error ? error.message : String(error) } }
  }
}
