/** Runs the directives of a message and says what the model answers. Shared by the model server and the fake gateway. */
import { setTimeout as delay } from 'node:timers/promises'
import { defaultReply } from './default-reply.ts'
import { parseDirectives } from './directives.ts'
import type { Gates } from './gates.ts'
import { untilAborted } from '@mission-control/host/until-aborted'

export type ScriptedReply =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool'; readonly name: string; readonly args: unknown }
  | { readonly kind: 'fail'; readonly status: number; readonly message: string }

export interface ScriptInput {
  readonly prompt: string
  /** The tool results that the model has seen since that prompt. */
  readonly toolResults: readonly string[]
  /** Tools it is offered, as it sees them. A directive names a tool as its server does, without what the gateway puts in front. */
  readonly tools?: readonly string[]
  /** What `{{turn}}` stands for. */
  readonly turnCode?: string | null
}

/**
 * Waiting directives come first in the order written, each at its place between the tools; each tool is called once; the last word is
 * `say` or the default reply.
 */
export async function runScript(input: ScriptInput, gates: Gates, signal: AbortSignal): Promise<ScriptedReply> {
  const directives = parseDirectives(input.prompt)
  const seen = input.toolResults.length
  let calls = 0
  for (const directive of directives) {
    // What stands before a tool was done before that tool was called.
    if (directive.kind === 'tool') {
      calls += 1
      if (calls > seen) return { kind: 'tool', name: offered(directive.name, input.tools), args: filled(directive.args, input) }
      continue
    }
    if (calls < seen) continue
    if (directive.kind === 'sleep') await delay(directive.ms, undefined, { signal })
    if (directive.kind === 'gate') await gates.pass(directive.name, signal)
    if (directive.kind === 'hang') await untilAborted(new Promise<never>(() => undefined), signal)
    if (directive.kind === 'fail')
      return { kind: 'fail', status: directive.status, message: `scripted failure ${directive.status}` }
  }
  const say = directives.find((directive) => directive.kind === 'say')
  if (say !== undefined) return { kind: 'text', text: fill(say.text, input) }
  const answer = defaultReply(input.prompt)
  const result = input.toolResults.at(-1)
  return { kind: 'text', text: result === undefined ? answer : `${answer} The tool said: ${result.slice(0, 200)}` }
}

/**
 * The code of a turn in its prompt, as a model would find it: in the last line that says so, for a message that got no answer is shown
 * again in front of the next one; else six letters and digits after the word "turn".
 */
export function turnCodeIn(prompt: string): string | null {
  const last = [...prompt.matchAll(/^- turn: ([a-z0-9]{6})$/gim)].at(-1)?.[1]
  if (last !== undefined) return last
  return /\bturn\b[`":\s]{1,6}([a-z0-9]{6})\b/i.exec(prompt)?.[1] ?? null
}

const offered = (name: string, tools: readonly string[] = []): string => tools.find((tool) => tool.endsWith(`__${name}`)) ?? name

function filled(value: unknown, input: ScriptInput): unknown {
  if (typeof value === 'string') return fill(value, input)
  if (Array.isArray(value)) return value.map((item) => filled(item, input))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, input)]))
}

/** `{{turn}}`: the code of the turn. `{{2.task.id}}`: that member of the second tool's JSON result. Throws when it is not there. */
function fill(text: string, { toolResults, turnCode }: ScriptInput): string {
  return text.replace(/\{\{(\d+|turn)((?:\.\w+)*)\}\}/g, (whole, source: string, path: string) => {
    if (source === 'turn') {
      if (turnCode == null) throw new Error(`${whole}: there is no turn code in the prompt`)
      return turnCode
    }
    const result = toolResults[Number(source) - 1]
    if (result === undefined) throw new Error(`${whole}: there is no such tool result`)
    let value: unknown = path === '' ? result : (JSON.parse(result) as unknown)
    for (const name of path.split('.').slice(1)) value = (value as Record<string, unknown> | undefined)?.[name]
    if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`${whole}: not in ${result}`)
    return String(value)
  })
}
