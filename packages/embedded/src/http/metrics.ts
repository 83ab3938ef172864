/**
 * `GET /metrics` in Prometheus' text format. Read from the engine when asked, so nothing is counted twice and nothing costs
 * anything while nobody asks. No names of functions or tables: the page may be open to whoever reaches the port.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { getHeapSpaceStatistics } from 'node:v8'
import type { Engine } from '../engine.ts'
import type { Reply } from './routes.ts'

const PREFIX = 'mission_control_backend_'

export async function metrics(engine: Engine): Promise<Reply> {
  const registry = new Registry()
  const counter = (name: string, help: string, value: number) =>
    new Counter({ name: `${PREFIX}${name}`, help, registers: [registry] }).inc(value)
  const gauge = (name: string, help: string, value: number) =>
    new Gauge({ name: `${PREFIX}${name}`, help, registers: [registry] }).set(value)

  const { stats, live, core, writer, directory } = engine
  counter('commits_total', 'Transactions of the database since the start', stats.commits)
  counter('mutations_total', 'Mutations run since the start, failed ones included', stats.mutations)
  gauge('writer_queue', 'Mutations that wait for the writer', writer.waiting())
  gauge('writer_open', '1 while the writer takes work', writer.isOpen() ? 1 : 0)
  gauge('actions_running', 'Actions that run now', core.runningActions())
  gauge('subscribers', 'Sync sessions and subscriptions inside the process', live.count())
  gauge('last_commit_timestamp_seconds', 'Time of the newest commit', Number(engine.lastTs() / 1_000_000n) / 1_000)
  if (directory) {
    const size = (name: string) => statSync(join(directory.folder, name), { throwIfNoEntry: false })?.size ?? 0
    gauge('database_bytes', 'Size of the database file', size('convex.sqlite'))
    gauge('wal_bytes', 'Size of the write-ahead log', size('convex.sqlite-wal'))
  }
  const { rss, heapUsed } = process.memoryUsage()
  gauge('resident_memory_bytes', 'Memory of the process', rss)
  gauge('heap_used_bytes', 'JavaScript heap in use', heapUsed)
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  gauge('heap_young_bytes', 'Part of the JavaScript heap where objects begin; constant once started', young?.space_size ?? 0)
  gauge('uptime_seconds', 'Since the process started', process.uptime())
  return { status: 200, body: await registry.metrics(), headers: { 'content-type': registry.contentType } }
}
