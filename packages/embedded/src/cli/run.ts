/** Calls one function on a running backend with the admin key of its data folder. */
import { forTerminal } from '@mission-control/shared/unseen'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, type Json } from '../values/json.ts'
import { UsageError } from './usage.ts'

export async function callRunning(fn: string, argsText: string, options: { url: string; dataDir: string }): Promise<number> {
  const args = parse(argsText)
  const key = readKey(options.dataDir)
  const response = await fetch(`${options.url.replace(/\/+$/, '')}/api/function`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Convex ${key}` },
    body: JSON.stringify({ path: fn, args, format: 'json' }),
  }).catch((error: unknown) => {
    throw new Error(
      `No backend answers at ${options.url}: is it running there? Start one with \`mission-control-backend serve\`.`,
      { cause: error },
    )
  })
  const body = (await response.json()) as Json
  if (!isObject(body)) throw new Error(`Unexpected answer from ${options.url}: is another program using the port?`)
  for (const line of (body['logLines'] ?? []) as string[]) process.stderr.write(`${forTerminal(line)}\n`)
  if (body['status'] === 'success') {
    process.stdout.write(`${forTerminal(JSON.stringify(body['value'], null, 2))}\n`)
    return 0
  }
  process.stderr.write(`${forTerminal((body['errorMessage'] ?? body['message']) as string)}\n`)
  return 1
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new UsageError(`The arguments are not JSON: ${(error as Error).message}.`, { cause: error })
  }
}

function readKey(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, 'admin-key'), 'utf8').trim()
  } catch (error) {
    throw new Error(`There is no admin key in ${dataDir}: give the data folder of the running backend with --data-dir.`, {
      cause: error,
    })
  }
}
