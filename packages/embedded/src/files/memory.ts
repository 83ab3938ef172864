/** Contents of stored files of a backend that keeps nothing. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ContentStore } from './disk.ts'

export function createMemoryStore(): ContentStore {
  const contents = new Map<string, Buffer>()
  let written = 0
  return {
    async write(chunks) {
      const parts: Uint8Array[] = []
      for await (const chunk of chunks) parts.push(chunk)
      const content = Buffer.concat(parts)
      const name = `partial-${++written}`
      contents.set(name, content)
      return { name, size: content.length, sha256: createHash('sha256').update(content).digest('hex') }
    },
    async discard({ name }) {
      contents.delete(name)
    },
    adopt({ name }, id) {
      contents.set(id, contents.get(name)!)
      contents.delete(name)
    },
    async remove(id) {
      contents.delete(id)
    },
    async read(id, start, end) {
      const content = contents.get(id)
      return content ? Readable.from([content.subarray(start, end + 1)], { objectMode: false }) : null
    },
    async blob(id, type) {
      const content = contents.get(id)
      return content ? new Blob([new Uint8Array(content)], { type }) : null
    },
    removeOrphans: () => 0,
  }
}
