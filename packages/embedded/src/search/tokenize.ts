/**
 * Text to search terms, as production does it: runs of letters and digits of any script, in lower case. Nothing is stemmed or
 * folded: "café" is not "cafe". A run in a script without spaces (Chinese, Japanese) is one term. A term is nothing but letters and
 * digits, which is why no text can become an operator of the query language of SQLite's FTS5.
 */

const WORDS = /[\p{Alphabetic}\p{N}]+/gu // Unicode's alphanumeric characters
const MAX_TERM_BYTES = 31 // of UTF-8; longer terms are left out, in documents and in queries

/** What terms depend on. A stored index made by another version is built again. */
export const TOKENIZER = `alphanumeric-1/unicode-${process.versions['unicode'] ?? 'unknown'}`

/** The terms of `text` in order, at most `limit`. */
export function tokenize(text: string, limit = Infinity): string[] {
  const terms: string[] = []
  for (const [word] of text.matchAll(WORDS)) {
    if (terms.length >= limit) break
    if (Buffer.byteLength(word) > MAX_TERM_BYTES) continue
    terms.push(lowerCase(word))
  }
  return terms
}

/** One character at a time: whether it ends a word must not matter, as it does for a Greek sigma in `toLowerCase`. */
function lowerCase(word: string): string {
  let lower = ''
  for (const char of word) lower += char.toLowerCase()
  return lower
}
