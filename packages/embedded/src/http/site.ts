/** The site port: HTTP actions only. Anyone may call them; the guard against web pages does not apply. */
import { createServer } from 'node:http'
import type { Engine } from '../engine.ts'
import { bind, type Listening, type ListenOptions } from './bind.ts'
import { createHttpActions } from './http-actions.ts'

export async function listenSite(engine: Engine, options: ListenOptions = {}): Promise<Listening> {
  const actions = createHttpActions(engine)
  const server = createServer((request, response) => {
    void actions.answer(request, response, '')
  })
  return bind(server, options, engine.clock, async () => actions.close())
}
