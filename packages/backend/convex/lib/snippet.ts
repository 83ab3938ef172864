/** The part of a text that a search found it by. Pure. */

const SNIPPET_CHARS = 160
/** Characters shown before the match, so that it stands in a sentence. */
const BEFORE = 40

/** One line around the first word of `words` that the text has, or its beginning. Whitespace is folded, cuts are marked with `…`. */
export function snippet(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase()
  // Lower case may have another length in a few scripts; the window is then off by a few characters, and still inside the text.
  const found = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0)
  const first = found.length > 0 ? Math.min(...found) : 0
  const start = first <= BEFORE ? 0 : first - BEFORE
  const window = [...text.slice(start, start + SNIPPET_CHARS).replace(/\s+/g, ' ')].filter(isWhole).join('').trim()
  return `${start > 0 ? '…' : ''}${window}${start + SNIPPET_CHARS < text.length ? '…' : ''}`
}

/** A cut may leave half of a character behind. */
const isWhole = (point: string): boolean => !/^[\ud800-\udfff]$/u.test(point)
