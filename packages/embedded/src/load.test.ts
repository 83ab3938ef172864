/** The real way in: esbuild bundles functions with the engine's defines, the loader imports the bundle. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { createTestClock, inMemory, temporaryFolder } from '../test/fixtures/backend.ts'
import { bundleDefines, loadFunctions } from './index.ts'

const require = createRequire(import.meta.url)
const SOURCE = `
import { defineSchema, mutationGeneric, queryGeneric } from 'convex/server'
const atLoad = typeof new Date().getTime()
export const schema = defineSchema({})
const f = {
  time: queryGeneric({ args: {}, handler: () => [Date.now(), new Date().getTime(), new Date(5).getTime(), atLoad] }),
  random: mutationGeneric({ args: {}, handler: () => [Math.random(), Math.random()] }),
  fetches: queryGeneric({ args: {}, handler: () => fetch('http://localhost') }),
  ids: mutationGeneric({ args: {}, handler: () => crypto.randomUUID() }),
  measures: queryGeneric({ args: {}, handler: () => performance.now() }),
  waits: queryGeneric({ args: {}, handler: () => setTimeout(() => {}, 1) }),
  prints: queryGeneric({ args: {}, handler: () => { console.log('printed', process.env.GREETING); return null } }),
}
export const modules = { f: () => Promise.resolve(f) }
`

async function bundle(): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, 'entry.js'), SOURCE)
  await mkdir(join(folder, 'node_modules'))
  const convex = dirname(require.resolve('convex/package.json'))
  await symlink(convex, join(folder, 'node_modules/convex'))
  const { build } = createRequire(join(convex, 'package.json'))('esbuild') as { build(options: object): Promise<unknown> }
  const outfile = join(folder, 'functions.mjs')
  await build({
    entryPoints: [join(folder, 'entry.js')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['convex'],
    define: bundleDefines,
  })
  return outfile
}

it("a bundle built with the defines runs on the execution's time, randomness, console and environment", async () => {
  const { clock } = createTestClock(1_234_567)
  const backend = await inMemory({
    functions: await loadFunctions(await bundle()),
    clock,
    autoSchedule: false,
    env: { GREETING: 'hi' },
  })
  expect(await backend.query('f:time')).toEqual([1_234_567, 1_234_567, 5, 'number'])
  expect(new Set((await backend.mutation('f:random')) as number[]).size).toBe(2)
  await expect(backend.query('f:fetches')).rejects.toThrow("Can't use fetch()")
  expect(await backend.mutation('f:ids')).toMatch(/^[0-9a-f-]{36}$/)
  await expect(backend.query('f:measures')).rejects.toThrow("Can't use the Performance API")
  await expect(backend.query('f:waits')).rejects.toThrow("Can't use setTimeout in queries")
  const { logLines } = await backend.engine.core.call('f:prints', ['query'], {}, { identity: null, internal: false })
  expect(logLines).toEqual(["[LOG] 'printed' 'hi'"])
})

it('says what is wrong with a bundle', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'empty.mjs'), 'export {}')
  await expect(loadFunctions(join(folder, 'empty.mjs'))).rejects.toThrow('must export `schema` and `modules`')
  await expect(loadFunctions(join(folder, 'missing.mjs'))).rejects.toThrow('no such file')
})
