/** The value of a JSON text, or `null` for what is no JSON: for files that a crash or a hand may have damaged. */
export function parseJsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
