/** The matrix: every fault at every step, and which of it is asked for. */
import { execFileSync } from 'node:child_process'
import type { Fault, StageKind } from './faults.ts'
import { FAULTS } from './faults.ts'
import type { Step } from './steps.ts'
import { STEPS } from './steps.ts'

export interface Cell {
  readonly fault: Fault
  readonly step: Step
}

export const CELLS: readonly Cell[] = FAULTS.flatMap((fault) => STEPS.map((step) => ({ fault, step })))

/** With the real gateway: what it is part of, at the steps that are seen without standing between it and its runtime. */
const REAL_FAULTS: ReadonlySet<string> = new Set(['runtime killed', 'backend killed', 'gateway killed', 'backend unreachable'])
const REAL_STEPS: ReadonlySet<Step> = new Set<Step>(['after claim', 'mid-turn', 'tool called', 'before settle', 'settle sent'])
export const REAL_GATEWAY_CELLS: readonly Cell[] = CELLS.filter(
  ({ fault, step }) => REAL_FAULTS.has(fault.name) && REAL_STEPS.has(step),
)

export const nameOf = ({ fault, step }: Cell): string => `${fault.name} / ${step}`

/**
 * @param only a fault, a step or `fault / step`; several are separated by commas
 * @throws Error that names the choices
 */
export function chosen(only: string | null, cells: readonly Cell[] = CELLS): Cell[] {
  if (only === null) return [...cells]
  const names = only.split(',').map((name) => name.trim())
  const matches = (cell: Cell, name: string) => [cell.fault.name, cell.step, nameOf(cell)].includes(name)
  const unknown = names.find((name) => !cells.some((cell) => matches(cell, name)))
  if (unknown !== undefined) {
    throw new Error(
      `There is no fault, step or cell "${unknown}". Faults: ${FAULTS.map(({ name }) => name).join('; ')}. Steps: ${STEPS.join('; ')}. A cell is "fault / step"; several are separated by commas.`,
    )
  }
  return cells.filter((cell) => names.some((name) => matches(cell, name)))
}

/** Why a stage of this kind cannot be set up on this machine; `null` when it can. */
export function obstacleTo(kind: StageKind): string | null {
  if (kind !== 'small disk') return null
  try {
    const mount = 'folder=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$folder" && umount "$folder" && rmdir "$folder"'
    execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', mount], { stdio: ['ignore', 'ignore', 'pipe'] })
    return null
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer }
    return `no file system of our own can be mounted here (${(stderr?.toString().trim() || message).split('\n', 1)[0]})`
  }
}
