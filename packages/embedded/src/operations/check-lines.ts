/** What `check` says, line by line. */
export interface CheckLine {
  status: 'pass' | 'warn' | 'fail'
  /** What was looked at. */
  what: string
  /** What was found and, unless it passed, what to do. */
  found: string
}

export const MAX_LISTED = 20 // lines per kind of problem; the rest is counted
export const RESTORE = 'Restore from a backup, or export what can be read and import it into a new folder.'

/** Problems of one kind: the first ones named, the rest counted. */
export function listed(what: string, advice: string, status: 'warn' | 'fail' = 'fail') {
  const first: string[] = []
  let count = 0
  return {
    add(problem: string): void {
      if (++count <= MAX_LISTED) first.push(problem)
    },
    lines(whenNone: string): CheckLine[] {
      if (count === 0) return [{ status: 'pass', what, found: whenNone }]
      const more = count > first.length ? [`${count - first.length} more`] : []
      return [...first, ...more, `${count} in all. ${advice}`].map((found) => ({ status, what, found }))
    },
  }
}
