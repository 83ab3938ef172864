/**
 * `node packages/embedded/test/proof/kill.ts [--rounds 50] [--writers 16] [--documents 100000]`
 * Kills a backend under load and accounts for every acknowledged write; then the same under one sync client with mutations in
 * flight. Exits 1 when something was lost, applied twice or took too long to come back.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedConvex } from '../../src/index.ts'
import { createTestRandom } from '../fixtures/random.ts'
import { inspect } from '../fixtures/database.ts'
import { functions } from '../fixtures/functions.ts'
import { killReconnect, killWriters, type Round } from '../fixtures/kill-loop.ts'
import type { ServerProcess } from '../fixtures/server.ts'
import { load } from './load.ts'
import { createVerdict, median, option, percentile } from '@mission-control/host/numbers'

const ROUNDS = option('rounds', 50)
const WRITERS = option('writers', 16)
const DOCUMENTS = option('documents', 100_000)
const SEED = option('seed', 1)
const RESTART_MS = 1_000
const verdict = createVerdict()
const dataDir = await mkdtemp(join(tmpdir(), 'embedded-kill-'))
let current: ServerProcess | undefined
const onServer = (server: ServerProcess) => (current = server)

function report(name: string, cutOff: string, rounds: readonly Round[]): void {
  const sum = (of: (round: Round) => number) => rounds.reduce((total, round) => total + of(round), 0)
  const restarts = rounds.map((round) => round.restartMs)
  verdict.note(
    `${name}: ${rounds.length} kills, ${sum((round) => round.acknowledged)} acknowledged, ${sum((round) => round.unanswered)} ${cutOff}`,
  )
  verdict.atMost(
    `${name}, acknowledged and lost`,
    sum((round) => round.lost.length),
    0,
    'writes',
  )
  verdict.atMost(
    `${name}, applied twice`,
    sum((round) => round.doubled.length),
    0,
    'writes',
  )
  const cpu = rounds.map((round) => round.restartCpuMs)
  verdict.note(
    `${name}: restart to first answer, median ${median(restarts).toFixed(0)} ms, p95 ${percentile(restarts, 0.95).toFixed(0)} ms; ` +
      `processor time, median ${median(cpu).toFixed(0)} ms, most ${Math.max(...cpu)} ms; load of the machine ${loadavg()[0]!.toFixed(1)}`,
  )
  verdict.atMost(`${name}, restart to first answer, slowest`, Math.max(...restarts), RESTART_MS, 'ms')
}

try {
  const backend = await createEmbeddedConvex({ functions, dataDir })
  await load(backend, DOCUMENTS)
  await backend.close()
  const { next: random } = createTestRandom(SEED)
  const common = { dataDir, rounds: ROUNDS, random, onServer }
  report('parallel writers', 'more were committed', await killWriters({ ...common, writers: WRITERS, writes: 200 }))
  report('one sync client', 'of them in flight at the kill', await killReconnect({ ...common, writes: 40 }))
  const found = inspect(dataDir)
  verdict.note(`${found.documents} documents at the end, integrity check: ${found.integrity}`)
  verdict.atMost('integrity check failed', found.integrity === 'ok' ? 0 : 1, 0, 'times')
  verdict.atMost('index entries missing or left over', found.wrongEntries + found.dangling, 0, 'entries')
} finally {
  if (current && current.child.exitCode === null && current.child.signalCode === null) await current.stop('SIGKILL')
  await rm(dataDir, { recursive: true })
}
verdict.finish()
