/**
 * Canaries on the backend's side of the line (the runtime's own are in secrets.e2e.test.ts): the secret of a service token, the admin key
 * and a token somebody made up go through a real backend on disk, its HTTP API, its pages, a backup and an export. They may be where
 * they belong and nowhere else.
 */
import { createWriteStream, globSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { api } from '@mission-control/backend/convex/_generated/api'
import { createEmbeddedConvex } from '@mission-control/embedded'
import { backup } from '@mission-control/embedded/operations/backup'
import { exportZip } from '@mission-control/embedded/operations/export'
import { openImport } from '@mission-control/embedded/operations/import-source'
import { openForReading } from '@mission-control/embedded/operations/open'
import { expect, it } from 'vitest'
import { formatTrace } from '../src/trace/format.ts'
import { buildFunctions, tempFolder } from './stack/world.ts'

const MADE_UP = `mcs_canary_${'canary'.repeat(7)}c`

/** Every file below the folder, as it stands on the disk. */
const filesIn = (folder: string): { name: string; bytes: Buffer }[] =>
  globSync('**/*', { cwd: folder })
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => ({ name, bytes: readFileSync(path.join(folder, name)) }))

it('a token’s secret is in no file, no log, no answer, no page, no backup and no export; the admin key only in its own file', async () => {
  const folder = await tempFolder()
  const [dataDir, copy, zip] = ['data', 'backup', 'export.zip'].map((name) => path.join(folder, name)) as [string, string, string]
  const said: string[] = []
  const say = (message: string, fields?: object) => void said.push(`${message} ${JSON.stringify(fields)}`)
  const backend = await createEmbeddedConvex({
    functions: await buildFunctions(),
    dataDir,
    log: { info: say, warn: say, error: say },
  })
  const owner = backend.withIdentity({ subject: 'ada', issuer: 'test', tokenIdentifier: 'test|ada', name: 'Ada' })
  const accountId = await owner.mutation(api.accounts.create, { name: 'Test' })
  const { token } = await owner.action(api.serviceTokens.create, { accountId, name: 'canary' })
  const secret = token.slice(-43)
  await owner.mutation(api.agents.create, { accountId, slug: 'writer', name: 'Wren' })
  const taskId = await owner.mutation(api.tasks.create, { accountId, title: 'The task' })
  await owner.mutation(api.messages.post, { accountId, taskId, content: '@writer please' })
  const [delivery] = await owner.query(api.deliveries.forTask, { accountId, taskId })

  const { url } = await backend.listen()
  const answers: string[] = []
  const ask = async (address: string, init?: RequestInit) => {
    const text = await (await fetch(`${url}${address}`, init)).text()
    answers.push(text)
    return text
  }
  const call = (route: string, name: string, args: object, headers: Record<string, string> = {}) =>
    ask(`/api/${route}`, { method: 'POST', body: JSON.stringify({ path: name, args: [args], format: 'json' }), headers })
  const service = { accountId, serviceToken: token }
  const story = JSON.parse(await call('query', 'service/notifications:getForDelivery', { ...service, id: delivery?.id })) as {
    value: Parameters<typeof formatTrace>[0]
  }
  answers.push(formatTrace(story.value))
  // The platform's validators print the arguments to whoever sent them, as Convex does; nobody else may read them, in no log either.
  const told = answers.length
  await call('query', 'service/notifications:getForDelivery', { ...service, id: 'no id', extra: secret })
  await call('mutation', 'service/runtime:hello', { ...service, instanceId: secret.length })
  expect(answers.splice(told).join()).toContain('ArgumentValidationError')
  await call('query', 'service/notifications:getForDelivery', { ...service, id: 7 })
  await call('query', 'service/notifications:getForDelivery', { accountId, serviceToken: MADE_UP, id: delivery?.id })
  await call('query', 'messages:nothing', service)
  await call('query', 'tasks:get', service, { authorization: `Bearer ${token}` })
  await call('query', 'tasks:get', {}, { authorization: `Convex ${MADE_UP}` })
  for (const page of ['/', '/health', '/metrics', '/version']) await ask(page)

  const connection = openForReading(dataDir)
  await exportZip(connection, createWriteStream(zip), { filesOf: dataDir })
  connection.close()
  await backend.close()
  await backup(dataDir, copy)

  const unpacked: string[] = []
  const source = await openImport(zip, null)
  for (const table of source.tables) for await (const { value } of table.rows()) unpacked.push(JSON.stringify(value))
  source.close()
  expect(unpacked.join()).toContain('@writer please') // it was really read

  const texts = [said.join('\n'), answers.join('\n'), unpacked.join('\n')]
  for (const canary of [secret, backend.adminKey, MADE_UP.slice(-43)])
    for (const text of texts) expect(text).not.toContain(canary)
  for (const { name, bytes } of [...filesIn(dataDir), ...filesIn(copy), ...filesIn(folder)]) {
    expect([name, bytes.includes(secret), bytes.includes(MADE_UP.slice(-43))]).toEqual([name, false, false])
    if (path.basename(name) !== 'admin-key') expect([name, bytes.includes(backend.adminKey)]).toEqual([name, false])
  }
  await rm(folder, { recursive: true })
})
