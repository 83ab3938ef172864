/** The model behind the gateways: answers late, not at all, with nothing, or with a refusal; calls tools; says each thing only once. */
import type { FakeTurn } from '@mission-control/openclaw/testing/fake/runs'
import type { GatewayLife } from './gateway.ts'
import { turnName } from './gateway-client.ts'
import type { Installation } from './installation.ts'
import type { Seeded } from './seeded.ts'
import type { World } from './world.ts'

const QUICK_MS = { least: 5, most: 3_000 }
const SLOW_MS = { least: 5_000, most: 900_000 }
/** How long the gateway waits for a tool. */
const TOOL_MS = 60_000
const TURN_CODE = /^- turn: (\w+)$/m

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
      throw new Error(random.chance(0.15) ? '401 the API key was refused' : '500 the model is out of order')
    }
    await life.clock.sleep(random.spread(QUICK_MS.least, QUICK_MS.most), turn.signal)
    if (random.chance(0.1)) return random.chance(0.5) ? 'HEARTBEAT_OK' : ''
    answers += 1
    trace.note(life.part.name, `model answers ${name}: "answer ${answers}"`)
    return `answer ${answers}`
  }

  /** The same calls with the same arguments each time a turn is run: what it creates must be there once. */
  async function useTools({ runId, prompt, agentId: slug, sessionKey, signal }: FakeTurn, life: GatewayLife): Promise<void> {
    const { trace, weather } = world
    const process = servers()
      .map((one) => one.process())
      .filter((one) => one !== null && one.client.current?.bootId === life.bootId)
      .find((one) => one?.loops.role() === 'active')
    const code = TURN_CODE.exec(prompt)?.[1]
    const agentId = world.agentId(slug)
    if (!process || process.part.paused || agentId === null) return
    const item = runId.slice(0, Math.max(0, runId.lastIndexOf('.')))
    const task = world.taskOf(item)
    if (task === null) return
    const other = world.otherAgent(slug)
    const asks = other !== null && (weather().chatty || item.length % 2 === 0)
    const call = asks
      ? { tool: 'response_request', args: { task, recipients: [other], message: `question of ${item}` } }
      : { tool: 'message_post', args: { task, content: `note of ${item}` } }
    const request = {
      agentId,
      sessionId: `${life.bootId} ${sessionKey}`.replaceAll(' ', '-'),
      ...call,
      args: { ...call.args, turn: code ?? '' },
    }
    trace.note(life.part.name, `model calls ${call.tool} in ${turnName(trace, runId)}`)
    const timeUp = life.clock.sleep(TOOL_MS, signal).then(() => ({ isError: true, text: 'no answer in time' }))
    const answer = await Promise.race([process.tool(request, signal), timeUp])
    trace.note(life.part.name, `tool says ${answer.isError ? answer.text.slice(0, 90) : 'ok'}`)
  }
}
