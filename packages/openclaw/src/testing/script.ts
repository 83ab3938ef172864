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
  /** How many tool results the model has seen since that prompt. */
  readonly toolResults: readonly string[]
}

/** Waiting directives come first in the order written; each tool is called once; the last word is `say` or the default reply. */
export async function runScript(input: ScriptInput, gates: Gates, signal: AbortSignal): Promise<ScriptedReply> {
  const directives = parseDirectives(input.prompt)
  const tools = directives.filter((directive) => directive.kind === 'tool')
  for (const directive of input.toolResults.length > 0 ? [] : directives) {
    if (directive.kind === 'sleep') await delay(directive.ms, undefined, { signal })
    if (directive.kind === 'gate') await gates.pass(directive.name, signal)
    if (directive.kind === 'hang') await untilAborted(new Promise<never>(() => undefined), signal)
    if (directive.kind === 'fail')
      return { kind: 'fail', status: directive.status, message: `scripted failure ${directive.status}` }
  }
  const tool = tools[input.toolResults.length]
  if (tool !== undefined) return { kind: 'tool', name: tool.name, args: tool.args }
  const say = directives.find((directive) => directive.kind === 'say')
  if (say !== undefined) return { kind: 'text', text: say.text }
  const answer = defaultReply(input.prompt)
  const result = input.toolResults.at(-1)
  return { kind: 'text', text: result === undefined ? answer : `${answer} The tool said: ${result.slice(0, 200)}` }
}
