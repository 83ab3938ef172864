import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startPushStub } from '../src/push-stub.ts'
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
