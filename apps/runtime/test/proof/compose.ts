/** The compose file of deploy/runtime: valid, comes up healthy, stops in order. */
import { docker, tryDocker } from './docker.ts'
import type { Story } from './story.ts'

const FILE = 'deploy/runtime/compose.yaml'

export interface ComposeRun {
  /** Also names the volume, `<project>_data`. */
  readonly project: string
  readonly envFile: string
  readonly port: string
  readonly untilUp: () => Promise<void>
}

export async function proveCompose(story: Story, { project, envFile, port, untilUp }: ComposeRun): Promise<void> {
  if ((await tryDocker(['compose', 'version'])).code !== 0) {
    story.note('not run: the compose file, because `docker compose` (version 2) is not installed')
    return
  }
  const env = { RUNTIME_ENV_FILE: envFile, RUNTIME_HEALTH_PORT: port }
  const compose = async (...args: string[]) => {
    const { code, stdout, stderr } = await tryDocker(['compose', '-f', FILE, '-p', project, ...args], { env })
    if (code !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${code}: ${stderr.trim()}`)
    return stdout.trim()
  }
  await story.step('docker compose config -q', () => compose('config', '-q'))
  try {
    await story.step('docker compose up --wait, health page published', async () => {
      await compose('up', '--detach', '--no-build', '--wait')
      await untilUp()
    })
    const container = await compose('ps', '-q', 'runtime')
    await story.step('docker compose stop', () => compose('stop'))
    story.equal('exit code', await docker('inspect', '--format', '{{.State.ExitCode}}', container), '0')
  } catch (error) {
    story.note(await compose('logs', '--tail', '40'))
    throw error
  } finally {
    await compose('down', '--timeout', '5')
  }
}
