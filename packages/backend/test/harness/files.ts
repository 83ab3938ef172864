import type { Id } from '../../convex/_generated/dataModel.js'
import type { Backend } from './backend.ts'

/** Puts a file into storage as an upload does: nobody's, until it is registered. */
export const upload = (
  backend: Backend,
  content: string | Uint8Array<ArrayBuffer>,
  type = 'text/plain',
): Promise<Id<'_storage'>> => backend.run((ctx) => ctx.storage.store(new Blob([content], { type })))
