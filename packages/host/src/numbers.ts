/** Percentiles, memory and verdicts for the proof scripts: each prints its figure beside its bound and exits 1 when one is missed. */
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

/** Of the kernel's user interface, a second: the same on every Linux that Node runs on. */
const CLOCK_TICKS = 100

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

/** Other work on the machine bends every time that is measured: said beside the figures. */
export const loadOfMachine = (): string => `load of the machine ${(loadavg()[0] ?? Number.NaN).toFixed(1)}`

/** Processor time a process has used so far, ms: what is left of a figure when others take turns on the machine. Linux only. */
export function processorMs(pid: number): number {
  const [, rest = ''] = /^\d+ \(.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const fields = rest.split(' ')
  const ticks = Number(fields[11]) + Number(fields[12]) // utime and stime: fields 14 and 15, counted from the state, which is the third
  if (!Number.isFinite(ticks)) throw new Error(`No processor time for process ${pid}.`)
  return (ticks * 1_000) / CLOCK_TICKS
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
  function judge(name: string, value: number, holds: boolean, bound: string, unit: string): void {
    if (!holds) missed++
    console.log(`${holds ? 'holds ' : 'MISSED'} ${name}: ${value.toFixed(2)} ${unit} (${bound})`)
  }
  return {
    note: (text: string) => console.log(`       ${text}`),
    atMost: (name: string, value: number, bound: number, unit: string): void =>
      judge(name, value, value <= bound, `at most ${bound}`, unit),
    atLeast: (name: string, value: number, bound: number, unit: string): void =>
      judge(name, value, value >= bound, `at least ${bound}`, unit),
    /** Sets the exit code. */
    finish(): void {
      process.exitCode = missed === 0 ? 0 : 1
    },
  }
}
