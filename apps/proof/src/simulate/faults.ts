/** What goes wrong between messages: processes that crash, stop or stand still, connections that break, clocks that jump. */
import { api } from '@mission-control/backend/convex/_generated/api'
import type { Simulation } from '@mission-control/backend/proof/simulation'
import type { GatewayPart } from './gateway.ts'
import type { Installation } from './installation.ts'
import type { Seeded } from './seeded.ts'
import type { Part } from './time.ts'
import type { Moment } from './weather.ts'
import type { World } from './world.ts'

const WEIGHTS = {
  ...{ crashRuntime: 5, stopRuntime: 2, pauseRuntime: 4, crashGateway: 5, pauseGateway: 2, crashBackend: 3, pauseBackend: 2 },
  ...{ breakSocket: 3, breakConnection: 4, jumpRuntime: 1, jumpBackend: 0.5, command: 1 },
} as const

/** What happens at a moment. A machine that is gone takes runtime and gateway with it. */
const AIMED = {
  crashRuntime: 4,
  cutPower: 3,
  crashGateway: 3,
  pauseRuntime: 3,
  breakConnection: 2,
  crashBackend: 1,
  jumpBackend: 1,
} as const

export interface FaultDeps {
  readonly world: World
  readonly installations: readonly Installation[]
  readonly gateways: readonly GatewayPart[]
  readonly history: Simulation
  readonly random: Seeded
  readonly onBackendStart: () => void
}

export interface Faults {
  /** Makes one thing go wrong. */
  strike(): Promise<void>
  /** Makes something go wrong right after this moment, if the weather says so. */
  at(moment: Moment, part: Part): void
  /** Everything is started, resumed and reachable from now on. */
  repair(): void
  startGatewaySoon(gateway: GatewayPart): void
}

export function createFaults({ world, installations, gateways, history, random, onBackendStart }: FaultDeps): Faults {
  const { time, trace, backend, outside } = world
  const later = (least: number, most: number, then: () => void) => void time.timer(outside, random.spread(least, most), then)

  function pause(part: Part | undefined, most: number, least = 200): void {
    if (part === undefined || part.paused || part.dead) return
    part.paused = true
    trace.note(part.name, 'is paused')
    later(least, most, () => resume(part))
  }

  function resume(part: Part): void {
    if (!part.paused || part.dead) return
    part.paused = false
    trace.note(part.name, 'goes on')
  }

  function backendUp(): void {
    if (backend.isUp()) return
    backend.setUp(true)
    trace.note('backend', 'starts')
    onBackendStart()
  }

  function crashBackend(most = 60_000): void {
    if (!backend.isUp()) return
    backend.setUp(false)
    trace.note('backend', 'crashes')
    time.drop(backend.part)
    for (const one of installations) one.process()?.brain.breakSocket(false)
    later(300, most, backendUp)
  }

  function jumpBackend(ms: number): void {
    trace.note('backend', `clock jumps by ${Math.round(ms)} ms`)
    backend.clock.jump(ms)
  }

  const startGatewaySoon = (gateway: GatewayPart) => later(1_000, 45_000, () => gateway.start())

  function crashGateway(gateway: GatewayPart): void {
    if (gateway.life() === null) return
    gateway.crash()
    startGatewaySoon(gateway)
  }

  function crashRuntime(installation: Installation): void {
    installation.crash()
    later(200, 10_000, installation.start)
  }

  /** Soon over: what counts is when it strikes. Only a pause lasts for longer than a lease, or nothing would come of it. */
  function hit(part: Part): void {
    const isAt = (one: Installation) => one.process()?.part === part || one.gateway.life()?.part === part
    const there = installations.filter((one) => one.process() !== null && isAt(one))
    const active = there.find((one) => one.process()?.loops.role() === 'active') ?? there[0]
    if (active === undefined) return
    switch (random.weighted(AIMED)) {
      case 'crashRuntime':
        return crashRuntime(active)
      case 'cutPower':
        crashRuntime(active)
        return crashGateway(active.gateway)
      case 'crashGateway':
        return crashGateway(active.gateway)
      case 'pauseRuntime':
        return pause(active.process()?.part, 400_000, 20_000)
      case 'breakConnection':
        return active.process()?.client.breakConnection(random.chance(0.3))
      case 'crashBackend':
        return crashBackend(10_000)
      case 'jumpBackend':
        return jumpBackend(random.spread(60_000, 1_500_000))
    }
  }

  return {
    async strike() {
      const installation = random.pick(installations)
      const gateway = random.pick(gateways)
      const process = installation.process()
      switch (random.weighted(WEIGHTS)) {
        case 'crashRuntime':
          installation.crash()
          // Now and then a machine is gone for longer than any lease.
          return random.chance(0.15) ? later(200_000, 1_500_000, installation.start) : later(200, 60_000, installation.start)
        case 'stopRuntime':
          return installation.stop(() => later(200, 90_000, installation.start))
        case 'pauseRuntime':
          return pause(process?.part, 400_000)
        case 'crashGateway':
          return crashGateway(gateway)
        case 'pauseGateway':
          return pause(gateway.life()?.part, 150_000)
        case 'crashBackend':
          return crashBackend()
        case 'pauseBackend':
          return pause(backend.part, 120_000)
        case 'breakSocket':
          return process?.brain.breakSocket(random.chance(0.5))
        case 'breakConnection':
          return process?.client.breakConnection(random.chance(0.3))
        case 'jumpRuntime':
          return installation.jumpClock((random.next() - 0.5) * 2 * random.spread(1_000, 86_400_000))
        case 'jumpBackend':
          return jumpBackend(random.spread(1_000, 1_200_000))
        case 'command': {
          if (!backend.isUp()) return
          const command = random.pick(['restart', 'drain', null, null] as const)
          trace.note('people', `command ${command}`)
          await history.world.ada.mutation(api.accounts.setCommand, { accountId: history.world.accountId, command })
        }
      }
    },
    at(moment, part) {
      if (random.chance(world.weather().aimed[moment] ?? 0)) time.timer(outside, 0, () => hit(part))
    },
    repair() {
      backendUp()
      resume(backend.part)
      for (const one of installations) {
        const process = one.process()
        if (process) resume(process.part)
        else one.start()
      }
      for (const gateway of gateways) {
        const life = gateway.life()
        if (life) resume(life.part)
      }
    },
    startGatewaySoon,
  }
}
