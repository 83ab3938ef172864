/** An account with one row of everything that public functions take ids of, for tests that call all of them. */
import { expect } from 'vitest'
import { api } from '../../convex/_generated/api.js'
import type { Id } from '../../convex/_generated/dataModel.js'
import { upload } from './files.ts'
import type { Ids } from './public-functions.ts'
import type { World } from './world.ts'

/** One row of everything in an account. */
export async function idsOf(world: World): Promise<Ids> {
  const { accountId, taskId, engineer, token, tokenId, ada } = world
  const { _id: membershipId } = await world.backend.run(async (ctx) => {
    const row = await ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', accountId))
      .first()
    return row ?? expect.fail('no membership')
  })
  await world.ada.mutation(api.tasks.assign, { accountId, taskId, assignees: [{ type: 'agent', id: engineer }] })
  await world.cy.mutation(api.messages.post, { accountId, taskId, content: '@qa alpha secret' })
  const storageId = await upload(world.backend, 'alpha secret')
  const file = { accountId, taskId, storageId, name: 'alpha secret.txt' }
  const attachmentId = await world.cy.action(api.attachments.register, file)
  const { invitationId } = await ada.action(api.invitations.create, { accountId, email: 'di@example.org', role: 'member' })
  const [notice] = await world.noticesOf('ada')
  const [head] = await world.ready()
  const documentId = await ada.mutation(api.documents.create, { accountId, title: 'alpha secret', content: 'alpha secret' })
  const page = await ada.query(api.messages.list, { accountId, taskId, paginationOpts: { numItems: 1, cursor: null } })
  const byTable: Record<string, string> = {
    accounts: accountId,
    agents: engineer,
    tasks: taskId,
    serviceTokens: tokenId,
    memberships: membershipId,
    invitations: invitationId,
    messages: page.page[0]?.id ?? '',
    attachments: attachmentId,
    _storage: storageId,
    notifications: notice?.id ?? '',
    deliveries: head?.id ?? '',
    documents: documentId,
  }
  const byName = {
    accountId,
    serviceToken: token,
    id: head?.id,
    ids: [head?.id, engineer],
    agentId: engineer,
    epoch: world.epoch,
    paginationOpts: { numItems: 10, cursor: null },
    cursor: null,
    limit: 10,
    // What the message of the fixture would be found by.
    text: 'alpha',
    date: '2030-01-01',
    assignee: { type: 'agent', id: engineer },
    assignees: [{ type: 'agent', id: world.qa }],
    held: [{ id: head?.id, fence: 1 }],
    dueAgents: [{ agentId: engineer, slot: 1 }],
    agents: [{ agentId: engineer, status: 'error', reason: 'touched' }],
  }
  // Service functions take ids as plain strings.
  const taskIdByName = { taskId: taskId as Id<'tasks'> }
  return { byTable, byName: { ...byName, ...taskIdByName } }
}
