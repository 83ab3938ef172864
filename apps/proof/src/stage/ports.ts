/**
 * Ports for programs that are killed and listen again. They lie below what the system gives to outgoing connections and to whoever asks
 * for any port: one from there could be somebody else's before its program is back.
 */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const LOWEST = 10_000
/** Linux hands out 32768 and up, macOS 49152 and up. */
const HIGHEST = 32_767
const TRIES = 100

/** @throws Error when so many ports in a row were taken that something else is wrong */
export async function steadyPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(LOWEST, HIGHEST + 1)
    if (await isFree(port)) return port
  }
  throw new Error(`None of ${TRIES} ports from ${LOWEST} to ${HIGHEST} could be listened on.`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
