/**
 * `node apps/runtime/test/proof/container.ts [--port 3001] [--no-build] [--keep]`
 *
 * Builds the image exactly as the README says and has it work: a backend and a scripted model on this machine, the runtime and the
 * real OpenClaw in the container, a message answered. Then what an operator relies on: the published health page, nothing secret in
 * a layer, not root, state kept on the volume, a turn in flight finished by `docker stop`, a read-only root filesystem, the compose
 * file. Takes some minutes. Every line says `holds` or `MISSED`; exit code 0 all hold, 1 one does not, 2 there is no Docker here.
 * `--no-build` takes the image that is there; `--keep` leaves the last container and its volume for looking at.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@mission-control/host/clock'
import { startModelServer } from '@mission-control/openclaw/testing/model-server'
import { createGates } from '@mission-control/openclaw/testing/gates'
import { runScript } from '@mission-control/openclaw/testing/script'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { HealthPage } from '@mission-control/shared/health'
import { buildFunctions, createWorld } from '../stack/world.ts'
import { proveCompose } from './compose.ts'
import { ADD_HOST, addressForContainers, docker, HOST, tryDocker, whyNoDocker } from './docker.ts'
import { IMAGE, proveImage } from './image.ts'
import { createStory } from './story.ts'
import { untilStatus, untilTrue } from './wait.ts'

/** What deploy/runtime/compose.yaml restricts, for `docker run`. */
const HARDENED = [
  ...['--read-only', '--tmpfs', '/tmp:size=256m', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'],
  ...['--memory', '3g', '--pids-limit', '512'],
]

/** Prints the process ids that are dead and that nobody has waited for. */
const ZOMBIES = `const fs = require('fs'); console.log(JSON.stringify(fs.readdirSync('/proc').filter((pid) => /^[0-9]+$/.test(pid) &&
  / Z /.test(fs.readFileSync('/proc/' + pid + '/stat', 'utf8').replace(/.*\\)/s, '')))))`

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '3001' },
    'no-build': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const missing = await whyNoDocker()
if (missing === null) await prove()
else {
  console.log(`not run: ${missing}`)
  process.exitCode = 2
}

async function prove(): Promise<void> {
  const story = createStory(systemClock)
  const run = `mc-proof-${randomBytes(3).toString('hex')}`
  const volume = `${run}_data`
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-container-'))
  try {
    if (!flags['no-build']) await proveImage(story, ['-f', 'apps/runtime/Dockerfile', '-t', IMAGE, '.'])

    const address = await addressForContainers(IMAGE)
    await using world = await createWorld(await buildFunctions())
    const backend = await world.backend.listen({ host: address, allowedHosts: [HOST] })
    const gates = createGates()
    await using model = await startModelServer({
      host: address,
      respond: ({ prompt, toolResults, signal }) =>
        runScript({ prompt: prompt.split('## To you').at(-1) ?? '', toolResults: [...toolResults] }, gates, signal),
    })
    const modelKey = `key-${randomBytes(12).toString('hex')}`
    const envFile = path.join(folder, 'runtime.env')
    const env = {
      ACCOUNT_ID: world.accountId,
      CONVEX_URL: `http://${HOST}:${backend.port}`,
      SERVICE_TOKEN: world.token,
      OPENCLAW_MODEL: 'scripted',
      MODEL_BASE_URL: `http://${HOST}:${model.port}/v1`,
      MODEL_API_KEY: modelKey,
    }
    await writeFile(
      envFile,
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
      { mode: 0o600 },
    )

    const start = (...options: string[]) =>
      docker(
        ...['run', '--detach', '--name', run, ...ADD_HOST, '--volume', `${volume}:/data`, ...options],
        ...['--env-file', envFile, '-p', `${flags.port}:3001`, IMAGE],
      )
    const url = `http://127.0.0.1:${flags.port}`
    const until = (pathname: string, status: number) => untilStatus(`${url}${pathname}`, status)
    const instanceId = () => docker('exec', run, 'cat', '/data/instance-id')
    const exitCode = () => docker('inspect', '--format', '{{.State.ExitCode}}', run)
    // Docker's own patience of 10 s is what the gateway alone needs when the machine is busy.
    const stop = () => docker('stop', '--time', '60', run)

    // 1. As the README says.
    await story.step('health page read through the published port', async () => {
      await start()
      await until('/health', 200)
    })
    await story.step('ready: backend, gateway, agents', () => until('/readyz', 200))
    await story.step('a message answered through OpenClaw in the container', async () => {
      await world.post('@writer [[say:hello from the container]]')
      story.equal('the reply', await world.replies(1), ['hello from the container'])
    })
    const page = HealthPage.parse(await (await fetch(`${url}/health`)).json())
    story.equal('OpenClaw inside', page.versions.openclaw, OPENCLAW_VERSION)
    story.equal('status', page.status, 'healthy')
    story.equal('user id of the runtime', await docker('exec', run, 'id', '-u'), '1000')
    story.equal('ports published', await docker('port', run), await expectedPorts(run))
    await story.step('Docker calls it healthy', () =>
      untilTrue(async () => (await docker('inspect', '--format', '{{.State.Health.Status}}', run)) === 'healthy'),
    )
    story.equal('zombies', await docker('exec', run, 'node', '-e', ZOMBIES), '[]')
    const firstLife = await instanceId()
    await story.step('docker stop when idle', stop)
    story.equal('exit code', await exitCode(), '0')
    const logs = await tryDocker(['logs', run])
    const said = logs.stdout + logs.stderr
    story.equal(
      'secrets in the log',
      [world.token, modelKey].filter((secret) => said.includes(secret)),
      [],
    )
    await docker('rm', run)

    // 2. A new container on the same volume, hardened.
    await story.step(`ready again, with ${HARDENED.join(' ')}`, async () => {
      await start('--stop-timeout', '60', ...HARDENED)
      await until('/readyz', 200)
    })
    story.equal('the same instance', await instanceId(), firstLife)
    await story.step('answered in the session of before', async () => {
      await world.post('@writer [[say:still here]]')
      await world.replies(2)
    })
    const remembered = JSON.stringify(model.requests.at(-1)?.messages).includes('hello from the container')
    story.equal('the model was shown the reply of the first container', remembered, true)

    // 3. A stop in the middle of a turn.
    await story.step('docker stop lets a turn in flight finish', async () => {
      await world.post('@writer [[gate:drain]][[say:finished while stopping]]')
      await gates.gate('drain').entered
      const stopped = stop()
      await until('/readyz', 503)
      gates.gate('drain').release()
      story.equal('the reply', (await world.replies(3)).at(-1), 'finished while stopping')
      await stopped
      story.equal('exit code', await exitCode(), '0')
    })
    await docker('rm', run)

    // 4. The compose file, on the same volume.
    await proveCompose(story, { project: run, envFile, port: flags.port, untilUp: () => until('/health', 200) })
  } catch (error) {
    story.failed(error)
    const logs = await tryDocker(['logs', '--tail', '40', run])
    if (logs.code === 0) console.log(`${logs.stdout}${logs.stderr}`)
  } finally {
    if (!flags.keep) {
      await tryDocker(['rm', '--force', run])
      await tryDocker(['volume', 'rm', '--force', volume])
    }
    await rm(folder, { recursive: true })
  }
  story.finish()
}

/** Only the health page, whatever addresses this Docker publishes on. */
async function expectedPorts(container: string): Promise<string> {
  return (await docker('port', container))
    .split('\n')
    .filter((line) => line.startsWith('3001/tcp -> ') && line.endsWith(`:${flags.port}`))
    .join('\n')
}
