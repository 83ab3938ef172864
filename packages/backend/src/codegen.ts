/**
 * Writes `convex/_generated` with the official CLI and without any network: the CLI pushes to a stub on this machine.
 * Run it after a change of a module's name, the schema or the components: `yarn codegen`.
 */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startPushStub } from '@mission-control/embedded/push-stub'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))

/**
 * @param folder the package whose `convex/_generated` is written; another one than this for the drift test
 * @throws with the CLI's output if it fails
 */
export async function codegen(folder: string = packageFolder): Promise<void> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('convex/package.json')), 'bin/main.js')
  const stub = await startPushStub()
  try {
    const args = [cli, 'codegen', '--url', stub.url, '--admin-key', stub.adminKey, '--typecheck', 'disable']
    // Nothing of the caller's deployment settings may lead the CLI elsewhere.
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], CI: '1' }
    await promisify(execFile)(process.execPath, args, { cwd: folder, env })
  } finally {
    await stub.close()
  }
}

if (import.meta.main) await codegen()
