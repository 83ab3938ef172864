/**
 * JSON with the keys of every object sorted and no whitespace, so that equal values are equal texts. `undefined` members are left
 * out, as JSON.stringify does.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(sorted(value))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  // A null prototype: `__proto__` is a key like any other.
  const copy = Object.create(null) as Record<string, unknown>
  for (const [key, member] of members) copy[key] = sorted(member)
  return copy
}
