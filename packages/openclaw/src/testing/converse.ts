/** A whole turn of the scripted model in the fake gateway: script, tool, script, ... until there is a text. */
import type { FakeTurn } from './fake/runs.ts'
import type { Gates } from './gates.ts'
import { runScript, turnCodeIn } from './script.ts'

/**
 * @param script the part of the prompt whose directives count
 * @throws the scripted model's failure
 */
export async function converse({ prompt, tools, signal }: FakeTurn, script: string, gates: Gates): Promise<string> {
  const toolResults: string[] = []
  for (;;) {
    const usesTools = script.includes('[[tool:')
    const offered = usesTools ? await tools.list() : []
    const reply = await runScript({ prompt: script, toolResults, tools: offered, turnCode: turnCodeIn(prompt) }, gates, signal)
    if (reply.kind === 'text') return reply.text
    if (reply.kind === 'fail') throw new Error(`${reply.status} ${reply.message}`)
    toolResults.push(await tools.call(reply.name, reply.args))
  }
}
