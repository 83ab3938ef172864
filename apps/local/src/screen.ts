/**
 * Lines for the person in front of the terminal. Colours only on a terminal, and there as picocolors finds it (NO_COLOR, TERM). What
 * agents, people and programs wrote is shown and never obeyed: their escape sequences stand there as text.
 */
import { forTerminal, lineForTerminal } from '@mission-control/shared/unseen'
import picocolors from 'picocolors'

export interface Screen {
  heading(text: string): void
  /** A step of the start-up: aligned name, what it is, how long it took. */
  step(name: string, detail: string, tookMs?: number): void
  /** Something that happened in the thread. */
  event(sinceMs: number, text: string): void
  /** A message, wrapped to the terminal. */
  message(author: string, text: string): void
  note(text: string): void
}

const NAME_WIDTH = 10

interface Output {
  write(text: string): unknown
  readonly columns?: number | undefined
  readonly isTTY?: boolean
}

export function createScreen(out: Output): Screen {
  // picocolors alone would colour whatever a CI server runs, terminal or not.
  const pc = picocolors.createColors(out.isTTY === true && picocolors.isColorSupported)
  const line = (text: string) => void out.write(`${text}\n`)
  const width = Math.max(50, Math.min(out.columns ?? 100, 110))
  return {
    heading: (text) => line(`\n${pc.bold(forTerminal(text))}`),
    step: (name, detail, tookMs) =>
      line(
        `  ${pc.cyan(name.padEnd(NAME_WIDTH))} ${forTerminal(detail)}${tookMs === undefined ? '' : pc.dim(`  (${seconds(tookMs)})`)}`,
      ),
    event: (sinceMs, text) =>
      line(`  ${pc.dim(`+${Math.round(sinceMs)} ms`.padStart(NAME_WIDTH))} ${pc.dim(lineForTerminal(text))}`),
    message: (author, text) => {
      const [first, ...rest] = wrap(forTerminal(text), width - NAME_WIDTH - 4)
      line(`  ${pc.green(lineForTerminal(author).padEnd(NAME_WIDTH))} ${first ?? ''}`)
      for (const more of rest) line(`  ${' '.repeat(NAME_WIDTH)} ${more}`)
    },
    note: (text) => line(`  ${forTerminal(text)}`),
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = []
    let line = ''
    for (const word of paragraph.split(/\s+/)) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    return [...lines, line]
  })
}
