/** `./mc simulate`: the command line of the simulation. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { EXIT } from '@mission-control/shared/exit-codes'
import { loadOfMachine } from '@mission-control/host/numbers'
import type { Guard } from './guards.ts'
import { GUARD_SEEDS, GUARD_STEPS, GUARDS } from './guards.ts'
import { openPool } from './pool.ts'
import type { Simulated } from './simulate.ts'
import { defaultThreads, simulate } from './simulate.ts'

interface Options {
  readonly seeds?: number
  readonly seed?: number
  readonly steps: number
  readonly threads?: number
  readonly json?: boolean
  readonly trace?: boolean
  readonly guards?: boolean
  readonly guard?: Guard
}

const SEEDS = 100
const STEPS = 300
const PROGRESS_EVERY = 25

/** @param signal the person wants it to end */
export function addSimulate(program: Command, signal: AbortSignal): void {
  program
    .command('simulate')
    .description(
      'Runs the real runtime, the real backend functions and a strict model gateway on virtual clocks, with faults at every await, and checks every promise after each step.',
    )
    .option('--seeds <n>', `histories to run, beginning with --seed or 1 (default ${SEEDS}; 1 with --seed)`, whole)
    .option('--seed <n>', 'the first of them; alone, only this one, with its trace', whole)
    .option('--steps <n>', 'choices of the scheduler in each storm', whole, STEPS)
    .option('--threads <n>', 'default: one for each core, at most 8', whole)
    .option('--trace', 'print the last steps of every history')
    .option('--json', '{seeds, steps, violations: [{seed, step, invariant}], stepsPerSecond} on standard output')
    .option('--guards', `break each guard of the product on purpose and look for it in ${GUARD_SEEDS} seeds`)
    .option('--guard <name>', `break this one: ${GUARDS.map(({ name }) => name).join(', ')}`, guardOf)
    .addHelpText('after', '\nExits 1 when something does not hold. Example: ./mc simulate --seeds 1000 --steps 500')
    .action(async (options: Options) => {
      const holds = await (options.guards ? searchAll(options, signal) : run(options, signal))
      // A signal has said its own code already.
      process.exitCode ??= holds ? EXIT.ok : EXIT.failed
    })
}

async function run({ seeds, seed, steps, threads, json = false, trace, guard }: Options, signal: AbortSignal): Promise<boolean> {
  const alone = seed !== undefined && seeds === undefined
  let ran = 0
  const result = await simulate({
    ...{ first: seed ?? 1, seeds: seeds ?? (alone ? 1 : SEEDS), steps, guard: guard ?? null, signal },
    ...(threads === undefined ? {} : { threads }),
    onSeed({ seed: one, violation, trace: lines, hash }) {
      ran += 1
      if (violation || trace || alone) say(lines.join('\n'))
      if (violation) {
        const broken = guard ? ` --guard ${guard.name}` : ''
        say(`\nseed ${one}, step ${violation.step}: ${violation.invariant}`)
        say(`${violation.detail}\nreplay it: ./mc simulate --seed ${one} --steps ${steps}${broken}\n`)
      } else if (alone || trace) say(`seed ${one} holds; hash ${hash}`)
      else if (ran % PROGRESS_EVERY === 0) say(`${ran} seeds`)
    },
  })
  report(result, json)
  return result.violations.length === 0
}

function report({ met, ...result }: Simulated & { readonly met: Readonly<Record<string, number>> }, json: boolean): void {
  const storm = Object.entries(met).map(([what, times]) => `${times} ${what}`)
  say(`met: ${storm.join(', ')}`)
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else {
    const { seeds, steps, violations, stepsPerSecond } = result
    const line = `${seeds} ${seeds === 1 ? 'seed' : 'seeds'} of ${steps} steps: ${violations.length} violations, ${stepsPerSecond} steps a second (${loadOfMachine()})`
    process.stdout.write(`${line}\n`)
  }
}

async function searchAll({ threads, json = false, steps }: Options, signal: AbortSignal): Promise<boolean> {
  await using pool = openPool({ threads: threads ?? defaultThreads() })
  const found: { guard: string; seed: number | null; step: number | null; invariant: string | null }[] = []
  for (const guard of GUARDS) {
    const { violations, seeds } = await simulate({
      ...{ first: 1, seeds: GUARD_SEEDS, steps: steps === STEPS ? GUARD_STEPS : steps, guard, pool, firstOnly: true, signal },
      ...(threads === undefined ? {} : { threads }),
    })
    if (signal.aborted) break
    const [first] = violations
    found.push({ guard: guard.name, seed: first?.seed ?? null, step: first?.step ?? null, invariant: first?.invariant ?? null })
    say(`${guard.name}: ${first ? `seed ${first.seed}, step ${first.step}: ${first.invariant}` : `not found in ${seeds} seeds`}`)
  }
  const missed = found.filter(({ seed }) => seed === null)
  if (json) process.stdout.write(`${JSON.stringify({ guards: found })}\n`)
  else process.stdout.write(`${found.length - missed.length} of ${found.length} broken guards found\n`)
  return missed.length === 0
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It is a whole number from 1.')
  return value
}

function guardOf(name: string): Guard {
  const guard = GUARDS.find((one) => one.name === name)
  if (guard === undefined) throw new InvalidArgumentError(`There is no guard of this name.`)
  return guard
}
