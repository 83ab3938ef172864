/** Latency of fresh turns, one after the other: `node bench.ts [inproc|child|file|real] [count]`. Not a test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@mission-control/host/clock'
import { createClient } from '../src/client.ts'
import type { Client } from '../src/client.ts'
import { createGateway } from '../src/official-gateway.ts'
import { startFakeGateway } from '../src/testing/fake-gateway.ts'
import { runTurn } from '../src/turn/run.ts'
import { installedOpenClaw, prepareRealGateway } from './real-gateway.ts'

const [kind = 'inproc', countText] = process.argv.slice(2)
const count = Number(countText ?? (kind === 'real' ? 30 : 2000))
const WARM_UP = kind === 'real' ? 2 : 200
const SESSIONS = kind === 'real' ? 1 : 50
const begun = performance.now()

async function target(): Promise<{ client: Client; stop: () => Promise<unknown> }> {
  if (kind === 'real') {
    const entry = installedOpenClaw()
    if (entry === null) process.exit(1)
    const real = await prepareRealGateway(entry)
    await real.host.start()
    return { client: real.host.client, stop: async () => real[Symbol.asyncDispose]() }
  }
  if (kind === 'inproc') {
    const fake = await startFakeGateway()
    const client = createClient({ clock: systemClock }, { url: fake.url, token: fake.token })
    return { client, stop: () => client.close().then(() => fake.stop()) }
  }
  const dir = await mkdtemp(join(tmpdir(), 'mc-bench-'))
  const script = join(import.meta.dirname, '../src/testing/fake-gateway-main.ts')
  const file = kind === 'file' ? ['--transcript', join(dir, 'transcript.jsonl')] : []
  const child = spawn(process.execPath, [script, '--agents', 'writer', '--token', 'bench', ...file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout, 'data')
  const { url } = JSON.parse(String(line)) as { url: string }
  const client = createClient({ clock: systemClock }, { url, token: 'bench' })
  return { client, stop: () => client.close().then(() => (child.kill('SIGKILL'), rm(dir, { recursive: true }))) }
}

const { client, stop } = await target()
await client.connected()
const startMs = performance.now() - begun
const gateway = createGateway(client)
const accepted: number[] = []
const whole: number[] = []
for (let index = 0; index < WARM_UP + count; index++) {
  const from = performance.now()
  let acceptedMs = 0
  await runTurn(
    { gateway, clock: systemClock },
    {
      sessionKey: `agent:writer:bench-${index % SESSIONS}`,
      turnKey: `bench.${index}`,
      message: '[[say:x]]',
      timeoutMs: 60_000,
      onAccepted: () => (acceptedMs = performance.now() - from),
    },
  )
  if (index < WARM_UP) continue
  accepted.push(acceptedMs)
  whole.push(performance.now() - from)
}
await stop()
const at = (values: number[], share: number) =>
  Number((values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0).toFixed(3))
const row = (values: number[]) => ({ p50: at(values, 0.5), p95: at(values, 0.95), p99: at(values, 0.99) })
process.stdout.write(
  `${JSON.stringify({ kind, count, startMs: Math.round(startMs), acceptedMs: row(accepted), turnMs: row(whole) })}\n`,
)
