/**
 * Text of others in what we tell an agent: either on one line in double quotes, or a block between fences whose every line is marked.
 * Whatever somebody writes, no line of it begins like one of ours. Pure.
 */
import { withoutUnseen as seen } from '@mission-control/shared/unseen'
import { fenceOf } from './rules.ts'

/** A text of others, to be set between fences. */
export interface Quoted {
  /** In our words; what others wrote in it is quoted by `value`. */
  readonly label: string
  readonly text: string
}

/** Our words, and theirs. */
export type Part = string | Quoted

/** Everything that any reader might take for the end of a line. */
const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/
const MARK = '> '

/** On one line: a line break would begin a line that looks like one of ours. */
export const oneLine = (text: string): string => seen(text.split(LINE_BREAK).join(' ')).replace(/\s+/g, ' ').trim()

/** In double quotes, which the text cannot close. */
export const value = (text: string): string => JSON.stringify(oneLine(text))

/** Each part as it stands in the message, in order. The fence is one that stands in none of the texts. */
export function renderParts(parts: readonly Part[], turnCode: string): { readonly fence: string; readonly lines: string[] } {
  const quoted = parts.filter((part) => typeof part !== 'string')
  const base = fenceOf(turnCode)
  let fence = base
  for (let n = 1; quoted.some(({ label, text }) => `${label}\n${seen(text)}`.includes(fence)); n += 1) fence = `${base}-${n}`
  return { fence, lines: parts.map((part) => (typeof part === 'string' ? part : block(fence, part))) }
}

function block(fence: string, { label, text }: Quoted): string {
  const lines = text.split(LINE_BREAK).map((line) => (line === '' ? MARK.trimEnd() : `${MARK}${seen(line)}`))
  return [`<<<${fence} ${label}`, ...lines, `${fence}>>>`].join('\n')
}
