/** Writes what was found into docs/. */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import path from 'node:path'
import type { BenchResult } from '../bench.ts'
import { benchDocument } from './document.ts'
import { latencyPlot } from './plot.ts'

const DOCS = path.resolve(import.meta.dirname, '../../../../../docs')

/** @param now milliseconds since the epoch */
export function writeDocuments(result: BenchResult, now: number, load: string, command: string): string[] {
  const date = new Date(now).toISOString().slice(0, 10)
  const machine = describeMachine()
  const document = path.join(DOCS, 'benchmarks.md')
  writeFileSync(document, benchDocument(result, { date, machine, command, load }))
  if (result.times === null) return [document]
  const plot = path.join(DOCS, 'benchmarks-latency.svg')
  const series = [
    { name: 'Mission Control', color: '#1a7f37', values: result.times.ours },
    { name: 'plain design, a poll each 5 s', color: '#cf222e', values: result.times.plain },
  ]
  writeFileSync(plot, latencyPlot('From commit to accepted by the gateway', `${date}, ${machine}; ${load}`, series))
  return [document, plot]
}

function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? ''
  // Of a virtual machine some systems do not say more.
  const name = model === '' || model === 'unknown' ? process.arch : model
  return `${availableParallelism()} cores (${name}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${systemName()}, Node ${process.versions.node}`
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform // no Linux
  }
}
