/**
 * The image's HEALTHCHECK: does the event loop of the runtime turn? Asks `/livez`, which checks no dependency: a backend that is down
 * must not get a container restarted that is waiting for it. The address is the one the runtime recorded in its data folder, so that
 * any HEALTH_PORT and HEALTH_HOST works. Exit code 0 alive, 1 not, with one line for `docker inspect`.
 */
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import path from 'node:path'

/** Below the HEALTHCHECK's own timeout, so that the reason is ours. */
const ANSWER_MS = 4_000

const file = path.join(process.env.DATA_DIR ?? '/data', 'health.json')

/** An address to listen on is not always one to call. */
const CALL = { '0.0.0.0': '127.0.0.1', '::': '::1' }

function end(code, line) {
  process.stdout.write(`${line}\n`)
  process.exit(code)
}

let recorded
try {
  recorded = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  end(1, `The runtime has recorded no health address in ${file} (${error.code ?? error.message}): it is starting or has stopped.`)
}
const { host, port } = recorded
get({ host: CALL[host] ?? host, port, path: '/livez', timeout: ANSWER_MS }, (response) => {
  response.resume()
  end(response.statusCode === 200 ? 0 : 1, `/livez answered ${response.statusCode}`)
})
  .on('timeout', () => end(1, `/livez on port ${port} did not answer within ${ANSWER_MS} ms`))
  .on('error', (error) => end(1, `/livez on port ${port}: ${error.message}`))
