import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { startPushStub } from '../src/push-stub.ts'
import type { PushRequest } from '../src/push/analyze.ts'
import { analyzeInThread } from '../src/push/in-thread.ts'
import { temporaryFolder } from './fixtures/backend.ts'
import { convexProject, runConvex } from './fixtures/convex-project.ts'

it('lets the official CLI generate code offline, with a component', { timeout: 60_000 }, async () => {
  const folder = await convexProject({
    'package.json': '{"name":"scratch","type":"module","dependencies":{"convex":"1.48.0"}}',
    'convex/schema.ts': `import { defineSchema, defineTable } from 'convex/server'
      import { v } from 'convex/values'
      export default defineSchema({ notes: defineTable({ text: v.string() }).index('by_text', ['text']) })`,
    'convex/notes.ts': `import { query, internalMutation } from './_generated/server.js'
      import { v } from 'convex/values'
      export const list = query({ args: {}, handler: (ctx) => ctx.db.query('notes').collect() })
      export const add = internalMutation({ args: { text: v.string() }, handler: (ctx, args) => ctx.db.insert('notes', args) })`,
    'convex/convex.config.ts': `import { defineApp } from 'convex/server'
      import counter from '../counter/convex.config.js'
      const app = defineApp()
      app.use(counter)
      export default app`,
    'counter/convex.config.ts': `import { defineComponent } from 'convex/server'
      export default defineComponent('counter')`,
    'counter/public.ts': `import { queryGeneric } from 'convex/server'
      import { v } from 'convex/values'
      export const value = queryGeneric({ args: { name: v.string() }, returns: v.number(), handler: () => 1 })`,
  })
  const stub = await startPushStub()
  try {
    await runConvex(folder, ['codegen', '--url', stub.url, '--admin-key', stub.adminKey, '--typecheck', 'disable'])
  } finally {
    await stub.close()
  }
  const api = await readFile(join(folder, 'convex/_generated/api.d.ts'), 'utf8')
  expect(api).toContain('import type * as notes from "../notes.js"')
  expect(api).toMatch(/components: \{[^]*counter/)
  const component = await readFile(join(folder, 'counter/_generated/component.ts'), 'utf8')
  expect(component).toContain('"query"')
  expect(component).toContain('name: string')
  expect(await readFile(join(folder, 'convex/_generated/dataModel.d.ts'), 'utf8')).toContain('DataModelFromSchemaDefinition')
})

it('refuses a wrong key before it runs anything', async () => {
  const stub = await startPushStub()
  try {
    const response = await fetch(`${stub.url}/api/deploy2/start_push`, {
      method: 'POST',
      body: JSON.stringify({ adminKey: 'embedded|00' }),
    })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('admin key')
  } finally {
    await stub.close()
  }
})

describe('pushes', () => {
  const push = (source: string): PushRequest => ({
    appDefinition: { definition: null, schema: null, changedModules: [{ path: 'm.js', source }] },
    componentDefinitions: [],
  })

  it('leave nothing of what they imported in memory', { timeout: 60_000 }, async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const heap = () => {
      collectGarbage()
      return process.memoryUsage().heapUsed / 1024 / 1024
    }
    const once = (n: number) => analyzeInThread(push(`export const text = '${n}${'x'.repeat(2_000_000)}'`))
    await once(0)
    const before = heap()
    for (let n = 1; n <= 10; n++) await once(n)
    expect(heap() - before).toBeLessThan(10) // in this process it would be 20 and more
  })

  it('that never end are cut off, those that throw say why', async () => {
    const scratch = await temporaryFolder()
    vi.stubEnv('TMPDIR', scratch)
    await expect(analyzeInThread(push('for (;;) {}'), 500)).rejects.toThrow('did not load within 0.5 s')
    await expect(analyzeInThread(push('throw new Error("my mistake")'))).rejects.toThrow('my mistake')
    await expect(analyzeInThread(push('process.exit(0)'))).rejects.toThrow('ended the thread')
    expect(await readdir(scratch)).toEqual([])
    vi.unstubAllEnvs()
  })
})
