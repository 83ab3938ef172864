/** The model behind the gateways: answers late, not at all, with nothing, or with a refusal; calls tools; says each thing only once. */
import type { FakeTurn } from '@mission-control/openclaw/testing/fake/runs'
import type { GatewayLife } from './gateway.ts'
import { turnName } from './gateway-client.ts'
import type { Installation } from './installation.ts'
import type { Seeded } from './seeded.ts'
import { createSeeded } from './seeded.ts'
import type { World } from './world.ts'

const QUICK_MS = { least: 5, most: 3_000 }
const SLOW_MS = { least: 5_000, most: 900_000 }
/** How long the gateway waits for a tool. */
const TOOL_MS = 60_000
/** How often an agent asks a colleague who is busy. */
const ASKS = 4
const TURN_CODE = /^- turn: (\w+)$/m

interface ToolUse {
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
}

/** What a turn creates says which item it is of; what it says twice, it means twice. */
const ONCE = /^(@\S+ )?(note|question|paper) of \w+$/
const TWICE = /^twice of \w+$/
/** @returns how often this text, of a message or a title, may have been created; `null`: it is of no tool */
export const timesMeant = (text: string): number | null => (ONCE.test(text) ? 1 : TWICE.test(text) ? 2 : null)

/** The same calls with the same arguments each time a turn is run: what it creates must be there once. */
function callsOf(item: string, task: string, other: string | null, chatty: boolean): ToolUse[] {
  const random = createSeeded(`calls of ${item}`)
  const say = (content: string): ToolUse => ({ tool: 'message_post', args: { task, content } })
  const asks = other !== null && (chatty || random.chance(0.4))
  return [
    ...(random.chance(0.6) ? [say(`note of ${item}`)] : []),
    ...(random.chance(0.25) ? [say(`twice of ${item}`), say(`twice of ${item}`)] : []),
    ...(random.chance(0.25) ? [{ tool: 'document_write', args: { task, title: `paper of ${item}`, content: 'text' } }] : []),
    ...(asks ? [{ tool: 'response_request', args: { task, recipients: [other], message: `question of ${item}` } }] : []),
  ]
}

export function createModel(world: World, random: Seeded, servers: () => readonly Installation[]) {
  let answers = 0
  return async (turn: FakeTurn, life: GatewayLife): Promise<string> => {
    const { trace, weather } = world
    const name = turn.recovered ? `${turn.runId} (recovers)` : turnName(trace, turn.runId)
    trace.note(life.part.name, `model reads ${name}`)
    const slow = random.chance(weather().modelIsSlow)
    const range = slow ? SLOW_MS : QUICK_MS
    await life.clock.sleep(random.spread(range.least, range.most), turn.signal)
    if (random.chance(weather().modelUsesTools)) await useTools(turn, life)
    if (random.chance(weather().modelFails)) {
      trace.note(life.part.name, `model fails ${name}`)
      throw new Error(random.chance(0.05) ? '401 the API key was refused' : '500 the model is out of order')
    }
    await life.clock.sleep(random.spread(QUICK_MS.least, QUICK_MS.most), turn.signal)
    world.moment('answered', life.part)
    if (random.chance(0.1)) return random.chance(0.5) ? 'HEARTBEAT_OK' : ''
    answers += 1
    trace.note(life.part.name, `model answers ${name}: "answer ${answers}"`)
    return `answer ${answers}`
  }

  async function useTools({ agentId: slug, sessionKey, signal }: FakeTurn, life: GatewayLife): Promise<void> {
    const { trace, weather } = world
    const instruction = life.instruction(sessionKey)
    if (instruction === null) return
    const { runId, text } = instruction
    const code = TURN_CODE.exec(text)?.[1]
    const item = runId.slice(0, Math.max(0, runId.lastIndexOf('.')))
    const { taskId: task, type } = world.delivery(item) ?? { taskId: null, type: null }
    if (task === null) return
    const { chatty } = weather()
    // Who hears an answer is content with it, or a chain would branch at each of its links.
    const other = chatty && type === 'response' ? null : world.otherAgent(slug)
    for (const use of callsOf(item, task, other, chatty)) await callTool(use)

    async function callTool({ tool, args }: ToolUse, tries = 1): Promise<void> {
      const process = servers()
        .map((one) => one.process())
        .filter((one) => one !== null && one.client.current?.bootId === life.bootId)
        .find((one) => one?.loops.role() === 'active')
      const agentId = world.agentId(slug)
      if (!process || process.part.paused || agentId === null) return
      const sessionId = `${life.bootId} ${sessionKey}`.replaceAll(' ', '-')
      const request = { agentId, sessionId, tool, args: { ...args, turn: code ?? '' } }
      trace.note(life.part.name, `model calls ${tool} in ${turnName(trace, runId)}`)
      const timeUp = life.clock.sleep(TOOL_MS, signal).then(() => ({ isError: true, text: 'no answer in time' }))
      const answer = await Promise.race([process.tool(request, signal), timeUp])
      trace.note(life.part.name, `tool says ${answer.isError ? answer.text.slice(0, 90) : 'ok'}`)
      // The colleague is still at work on an earlier question.
      if (!answer.isError || !chatty || !answer.text.includes('has not answered') || tries === ASKS) return
      await life.clock.sleep(random.spread(1_000, 20_000), signal)
      await callTool({ tool, args }, tries + 1)
    }
  }
}
