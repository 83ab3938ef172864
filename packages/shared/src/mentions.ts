/**
 * The one mention parser, used by backend and web: `@slug`, `@"full name"`, `@all`, case-insensitive, not inside code blocks, inline
 * code or quoted lines. It finds names; who they stand for is the backend's business.
 */
export interface Mention {
  /** Lower case, without `@` and quotes. */
  readonly name: string
  /** True for `@"full name"`, which matches a display name and never a slug. */
  readonly quoted: boolean
}

export interface Mentions {
  readonly all: boolean
  readonly names: readonly Mention[]
}

/** An @ inside a word (an e-mail address) is no mention; a trailing hyphen or dot belongs to the sentence. */
const MENTION = /(?<![\p{L}\p{N}_@./-])@(?:"([^"\n]{1,200})"|([\p{L}\p{N}](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?))/gu

export function parseMentions(markdown: string): Mentions {
  const names = new Map<string, Mention>()
  let all = false
  for (const match of withoutCode(markdown).matchAll(MENTION)) {
    const quoted = match[1] !== undefined
    const name = (match[1] ?? match[2] ?? '').trim().replace(/\s+/g, ' ').toLowerCase()
    if (name === '') continue
    if (name === 'all' && !quoted) all = true
    else names.set(`${quoted ? '"' : ''}${name}`, { name, quoted })
  }
  return { all, names: [...names.values()] }
}

/** Blanks out fenced code, quoted lines and inline code. An unclosed fence runs to the end, as in Markdown. */
function withoutCode(markdown: string): string {
  let fence: string | null = null
  const lines = markdown.split(/\r?\n/).map((line) => {
    const marker = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (fence !== null) {
      if (marker && marker[0] === fence[0] && marker.length >= fence.length && line.trim() === marker) fence = null
      return ''
    }
    if (marker) {
      fence = marker
      return ''
    }
    // Indented lines stay: in practice they are nested lists, not code.
    return /^\s*>/.test(line) ? '' : line
  })
  // Inline code: a run of n backticks up to the next run of exactly n.
  return lines.join('\n').replace(/(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, ' ')
}
