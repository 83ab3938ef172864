/** Percentiles, memory and verdicts for the proof scripts: each prints its figure beside its bound and exits 1 when one is missed. */
import { readFileSync } from 'node:fs'

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}
export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** Resident memory of a process, MiB. Linux only. */
export function residentMiB(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (!found) throw new Error(`No memory figure for process ${pid}.`)
  return Number(found[1]) / 1024
}

/** Reads `--name value` as a number. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`)
  const value = at < 0 ? fallback : Number(process.argv[at + 1])
  if (!Number.isFinite(value)) throw new Error(`--${name} needs a number.`)
  return value
}

/** Prints figures and remembers whether one missed its bound. */
export function createVerdict() {
  let missed = 0
  return {
    note: (text: string) => console.log(`       ${text}`),
    atMost(name: string, value: number, bound: number, unit: string): void {
      const holds = value <= bound
      if (!holds) missed++
      console.log(`${holds ? 'holds ' : 'MISSED'} ${name}: ${value.toFixed(2)} ${unit} (at most ${bound})`)
    },
    /** Sets the exit code. */
    finish(): void {
      process.exitCode = missed === 0 ? 0 : 1
    },
  }
}
