/** Fills a backend with small documents. */
import type { EmbeddedConvex } from '../../src/index.ts'

const BATCH = 1_000 // per mutation

/** Channels `c0` to `c49`, ten rows of a channel lie apart as they would in use. */
export async function load(backend: EmbeddedConvex, documents: number): Promise<void> {
  for (let done = 0; done < documents; done += BATCH) {
    await backend.run(async (ctx) => {
      for (let n = done; n < Math.min(documents, done + BATCH); n++)
        await ctx.db.insert('messages', { channel: `c${n % 50}`, body: `message ${n}`, score: n })
    })
  }
}
