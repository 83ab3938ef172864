/**
 * The model of the stage: one script for the stand-in gateway, which asks over HTTP, and for the real one, which asks through its
 * provider. It lives outside of every program that is killed, as a model does, and it is no help: asked again after a crash it calls its
 * tools again.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ScriptedReply } from '@mission-control/openclaw/testing/script'
import { turnCodeIn } from '@mission-control/openclaw/testing/script'
import { untilAborted } from '@mission-control/host/until-aborted'

/** What the model is to do about the message with this marker. */
export interface Behaviour {
  /** Creates a task with the marker as its title before it answers. */
  readonly tool: boolean
  /** Thinks until this is resolved; `null`: answers at once. After the tool. */
  readonly until: Promise<void> | null
  /** It is thinking. */
  readonly thinking: () => void
}

export interface Question {
  /** All that the model reads of the newest message. */
  readonly prompt: string
  /** What its tools have answered in this turn. */
  readonly toolResults: readonly string[]
  /** Names of the tools it is offered, where the gateway says. */
  readonly tools?: readonly string[]
}

export interface Model extends AsyncDisposable {
  /** For the stand-in gateway; the real one has a provider in between. */
  readonly url: string
  behave(marker: string, behaviour: Behaviour): void
  forget(marker: string): void
  /** How often it was asked about this message, tools' results not counted. */
  asked(marker: string): number
  answer(question: Question, signal: AbortSignal): Promise<ScriptedReply>
}

/** Stands in messages: `<<r000012a>>`. One word, so that search finds it. */
const MARKER = /<<([a-z0-9]+)>>/g
export const markerText = (marker: string): string => `<<${marker}>>`
export const titleOf = (marker: string): string => `made for ${marker}`

export async function startModel(): Promise<Model> {
  const behaviours = new Map<string, Behaviour>()
  const counts = new Map<string, number>()

  async function answer({ prompt, toolResults, tools = [] }: Question, signal: AbortSignal): Promise<ScriptedReply> {
    // The thread that the prompt quotes holds the markers of earlier messages: the last is what it is about.
    const marker = [...(prompt.split('## To you').at(-1) ?? '').matchAll(MARKER)].at(-1)?.[1]
    if (marker === undefined) return { kind: 'text', text: 'continued' }
    const behaviour = behaviours.get(marker)
    if (toolResults.length === 0) counts.set(marker, (counts.get(marker) ?? 0) + 1)
    if (behaviour?.tool === true && toolResults.length === 0) {
      const name = tools.find((tool) => tool.endsWith('__task_create')) ?? 'task_create'
      return { kind: 'tool', name, args: { title: titleOf(marker), turn: turnCodeIn(prompt) ?? '' } }
    }
    if (behaviour?.until) {
      behaviour.thinking()
      await untilAborted(behaviour.until, signal)
    }
    return { kind: 'text', text: `answer to ${marker}` }
  }

  const server = createServer((incoming, response) => {
    const hangUp = new AbortController()
    response.on('close', () => hangUp.abort(new Error('the caller hung up')))
    const reply = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const question = JSON.parse(Buffer.concat(chunks).toString()) as Question
      response.end(JSON.stringify(await answer(question, hangUp.signal)))
    }
    reply().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave: (marker, behaviour) => void behaviours.set(marker, behaviour),
    forget: (marker) => void (behaviours.delete(marker), counts.delete(marker)),
    asked: (marker) => counts.get(marker) ?? 0,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
