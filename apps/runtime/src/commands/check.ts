/** `check`: looks at everything a runtime needs, changes nothing, says what to do next. */
import { systemClock, systemRandom } from '@mission-control/host/clock'
import { checkReachable, checkToken } from '../check/backend.ts'
import { checkGateway, checkInstallation, checkModel } from '../check/gateway.ts'
import { checkFolder, checkNode, checkPort } from '../check/machine.ts'
import type { CheckResult } from '../check/result.ts'
import { exitCodeOf, fail, formatResult, pass, warn } from '../check/result.ts'
import type { Env, LoadedConfig, RuntimeConfig } from '../config/load.ts'
import { ConfigError } from '../config/load.ts'
import { createConvexBrain } from '../convex-client.ts'
import { holderOf } from '../data-dir.ts'
import type { CommandIo, CommonOptions } from './context.ts'
import { configOf, environmentOf } from './context.ts'

export interface CheckOptions extends CommonOptions {
  readonly json?: boolean
  readonly strict?: boolean
}

/** @returns the exit code */
export async function check(options: CheckOptions, io: CommandIo): Promise<number> {
  const results: CheckResult[] = []
  const say = (...found: CheckResult[]) => {
    results.push(...found)
    if (!options.json) for (const result of found) io.out(formatResult(result))
  }
  const loaded = configuration(options, io)
  if ('problems' in loaded) {
    say(
      ...loaded.problems.map((problem) =>
        fail('environment', problem, 'mission-control-runtime start --help lists every variable.', 'configuration'),
      ),
      checkNode(),
    )
  } else {
    const { config, warnings, env } = loaded
    say(
      ...warnings.map((warning) => warn('environment', warning, 'Correct the value.')),
      pass('environment', `account ${config.accountId}`),
    )
    await checkRest(config, env, say)
  }
  const code = exitCodeOf(results, options.strict ?? false)
  if (options.json) io.out(JSON.stringify({ exitCode: code, checks: results }, null, 2))
  return code
}

function configuration(options: CheckOptions, io: CommandIo): (LoadedConfig & { env: Env }) | { problems: readonly string[] } {
  try {
    const env = environmentOf(io, options)
    return { ...configOf(env, io), env }
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems }
    throw error
  }
}

async function checkRest(config: RuntimeConfig, env: Env, say: (...found: CheckResult[]) => void): Promise<void> {
  const clock = systemClock
  const running = holderOf(config.dataDir)
  say(
    checkNode(),
    checkFolder('data folder', config.dataDir, 'DATA_DIR'),
    checkFolder('workspaces', config.workspaceRoot, 'WORKSPACE_ROOT'),
    await checkPort({ name: 'health port', ...config.health, variable: 'HEALTH_PORT', running }),
    await checkPort({ name: 'tools port', ...config.tools, variable: 'TOOLS_PORT', running }),
  )
  const reachable = await checkReachable(config, clock)
  say(...reachable)
  const brain = createConvexBrain({
    url: config.convexUrl,
    caller: { accountId: config.accountId, serviceToken: config.serviceToken },
    clock,
  })
  try {
    const there = reachable.every(({ status }) => status !== 'fail')
    const token = there ? await checkToken(brain, config, clock) : []
    say(...token)
    say(await checkInstallation(config, env))
    say(
      ...(await checkGateway(config, {
        clock,
        random: systemRandom,
        brain: token.length > 0 && token.every(({ status }) => status !== 'fail') ? brain : null,
      })),
    )
    say(await checkModel(config, clock))
  } finally {
    await brain.close()
  }
}
