/** What happened, in order: a hash over all of it, which two runs of one seed must share, and the last lines for people. */
import { createHash } from 'node:crypto'

export interface Trace {
  /** One thing that happened: who did it, what, and the fault in it. */
  note(who: string, what: string): void
  /** A short name for a long id, the same each time: `d3` is the third delivery that was named. */
  name(kind: string, id: string): string
  lines(): number
  last(): readonly string[]
  hash(): string
}

/** @param keep lines that stay readable */
export function createTrace(now: () => number, step: () => number, keep = 120): Trace {
  const hash = createHash('sha256')
  const last: string[] = []
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  let lines = 0
  return {
    note(who, what) {
      lines += 1
      const line = `${String(step()).padStart(5)} ${(now() / 1000).toFixed(3).padStart(10)} s  ${who.padEnd(9)} ${what}`
      hash.update(line).update('\n')
      last.push(line)
      if (last.length > keep) last.shift()
    },
    name(kind, id) {
      const known = names.get(id)
      if (known !== undefined) return known
      const n = (counts.get(kind) ?? 0) + 1
      counts.set(kind, n)
      names.set(id, `${kind}${n}`)
      return `${kind}${n}`
    },
    lines: () => lines,
    last: () => last,
    hash: () => hash.copy().digest('hex'),
  }
}
