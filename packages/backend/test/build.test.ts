/** The built bundle, the committed generated code, and the contract's types. */
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadFunctions } from '@mission-control/embedded'
import type { DeliveryState } from '@mission-control/shared/enums'
import type * as Contract from '@mission-control/shared/service-contract'
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server'
import { afterEach, expect, expectTypeOf, it } from 'vitest'
import type { api } from '../convex/_generated/api.js'
import type { Id } from '../convex/_generated/dataModel.js'
import { bundleFunctions } from '../src/bundle.ts'
import { codegen } from '../src/codegen.ts'
import { convexFolder, functionModules } from '../src/modules.ts'

const folders: string[] = []
const temporary = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mc-build-'))
  folders.push(folder)
  return folder
}
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

it('builds a bundle that loads from a folder without node_modules', async () => {
  const outFile = join(await temporary(), 'functions.mjs')
  await bundleFunctions({ outFile })
  const { modules, schema, crons } = await loadFunctions(outFile)
  expect(Object.keys(modules).sort()).toEqual(functionModules())
  expect(Object.keys(modules)).toContain('service/runtime')
  expect(Object.keys((schema as { tables: object }).tables)).toContain('deliveries')
  const names = Object.keys((crons as { crons: object }).crons)
  expect(names.sort()).toEqual(['audit', 'lapse', 'removals', 'retention', 'standup', 'strayFiles'])
  const text = await readFile(outFile, 'utf8')
  const code = text.slice(0, text.indexOf('//# sourceMappingURL'))
  expect(code).toContain('Convex.now()')
  expect(code).not.toMatch(/\bDate\.now\(|\bMath\.random\(/)
})

it('has generated code that is what the official CLI writes', { timeout: 120_000 }, async () => {
  const folder = await temporary()
  const root = join(convexFolder, '..')
  await cp(convexFolder, join(folder, 'convex'), { recursive: true })
  await cp(join(root, 'package.json'), join(folder, 'package.json'))
  await symlink(join(root, '../../node_modules'), join(folder, 'node_modules'))
  await rm(join(folder, 'convex/_generated'), { recursive: true })
  await codegen(folder)
  const committed = join(convexFolder, '_generated')
  const files = (await readdir(committed)).sort()
  expect((await readdir(join(folder, 'convex/_generated'))).sort()).toEqual(files)
  for (const file of files) {
    const written = await readFile(join(folder, 'convex/_generated', file), 'utf8')
    expect([file, written]).toEqual([file, await readFile(join(committed, file), 'utf8')])
  }
})

it('gives consumers real types of the user-facing functions, not any', () => {
  type Post = FunctionArgs<typeof api.messages.post>
  expectTypeOf<Post>().branded.toEqualTypeOf<{
    accountId: Id<'accounts'>
    taskId: Id<'tasks'>
    content: string
    attachmentIds?: Id<'attachments'>[]
    key?: string
  }>()
  expectTypeOf<FunctionReturnType<typeof api.serviceTokens.create>>().toEqualTypeOf<{
    tokenId: Id<'serviceTokens'>
    token: string
  }>()
  expectTypeOf<FunctionReturnType<typeof api.deliveries.forTask>[number]['state']>().toEqualTypeOf<DeliveryState>()
})

it('answers and takes exactly what the service contract says', () => {
  type Args<F extends FunctionReference<'query' | 'mutation'>> = FunctionArgs<F>
  type Result<F extends FunctionReference<'query' | 'mutation'>> = FunctionReturnType<F>
  type Service = typeof api.service
  expectTypeOf<Args<Service['runtime']['hello']>>().branded.toEqualTypeOf<Contract.HelloArgs>()
  expectTypeOf<Result<Service['runtime']['tokenInfo']>>().branded.toEqualTypeOf<Contract.TokenInfo>()
  expectTypeOf<Result<Service['runtime']['hello']>>().branded.toEqualTypeOf<Contract.HelloResult>()
  expectTypeOf<Args<Service['runtime']['checkIn']>>().branded.toEqualTypeOf<Contract.CheckInArgs>()
  expectTypeOf<Result<Service['runtime']['checkIn']>>().branded.toEqualTypeOf<Contract.CheckInResult>()
  expectTypeOf<Args<Service['runtime']['goOffline']>>().branded.toEqualTypeOf<Contract.EpochArgs>()
  expectTypeOf<Result<Service['runtime']['signals']>>().branded.toEqualTypeOf<Contract.Signals>()
  // Where a handler answers with ids, its own type is narrower than the contract's plain string.
  expectTypeOf<Result<Service['notifications']['ready']>>().toExtend<Contract.ReadyHeads>()
  expectTypeOf<Args<Service['notifications']['claim']>>().branded.toEqualTypeOf<Contract.ClaimArgs>()
  expectTypeOf<Result<Service['notifications']['claim']>>().branded.toEqualTypeOf<Contract.ClaimResult>()
  expectTypeOf<Args<Service['notifications']['settle']>>().branded.toEqualTypeOf<Contract.SettleArgs>()
  expectTypeOf<Result<Service['notifications']['settle']>>().branded.toEqualTypeOf<Contract.SettleResult>()
  expectTypeOf<Args<Service['notifications']['fail']>>().branded.toEqualTypeOf<Contract.FailArgs>()
  expectTypeOf<Result<Service['notifications']['fail']>>().branded.toEqualTypeOf<Contract.FailResult>()
  expectTypeOf<Args<Service['notifications']['release']>>().branded.toEqualTypeOf<Contract.ReleaseArgs>()
  expectTypeOf<Result<Service['notifications']['getForDelivery']>>().branded.toEqualTypeOf<Contract.DeliveryTrace>()
  expectTypeOf<Result<Service['notifications']['listUndeliveredForAccount']>>().branded.toEqualTypeOf<Contract.UndeliveredPage>()
  expectTypeOf<Args<Service['agents']['list']>>().branded.toEqualTypeOf<Contract.RosterArgs>()
  expectTypeOf<Result<Service['agents']['list']>>().toExtend<Contract.RosterPage>()
  expectTypeOf<Result<Service['agents']['profiles']>>().toExtend<Contract.AgentProfile[]>()
  expectTypeOf<Args<Service['agents']['upsertHeartbeat']>['agents']>().branded.toEqualTypeOf<Contract.AgentReport[]>()
  expectTypeOf<Args<Service['heartbeats']['begin']>>().branded.toEqualTypeOf<Contract.HeartbeatArgs>()
  expectTypeOf<Result<Service['heartbeats']['begin']>>().branded.toEqualTypeOf<Contract.HeartbeatResult>()
  expectTypeOf<Args<Service['tools']['call']>>().branded.toEqualTypeOf<Contract.ToolCallArgs>()
  expectTypeOf<Result<Service['tools']['call']>>().toExtend<Contract.ToolResult>()
  expectTypeOf<Args<Service['tools']['read']>>().branded.toEqualTypeOf<Contract.ToolReadArgs>()
  expectTypeOf<Result<Service['tools']['read']>>().branded.toEqualTypeOf<Pick<Contract.ToolResult, 'result'>>()
})
