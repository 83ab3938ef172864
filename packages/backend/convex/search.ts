/** One search box over everything an account has. */
import { v } from 'convex/values'
import { byteBudget } from './lib/budget.js'
import { memberQuery } from './lib/functions.js'
import {
  checkSearch,
  checkSearchLimit,
  DEFAULT_HITS,
  searchAgents,
  searchDocuments,
  searchMessages,
  searchTasks,
  vAgentHit,
  vDocumentHit,
  vMessageHit,
  vTaskHit,
} from './model/search.js'

/** Bytes each kind of hit may read, so that long texts of one leave room for the others. */
const BYTES_PER_KIND = 2_500_000

/**
 * Tasks (archived ones too, their status says so), messages, documents that are not deleted, and agents whose name or slug begins
 * with the text: up to `limit` of each, best first. A text without words finds nothing.
 */
export const all = memberQuery('member')({
  args: { text: v.string(), limit: v.optional(v.number()) },
  returns: v.object({
    tasks: v.array(vTaskHit),
    messages: v.array(vMessageHit),
    documents: v.array(vDocumentHit),
    agents: v.array(vAgentHit),
  }),
  handler: async (ctx, { text, limit = DEFAULT_HITS }) => {
    checkSearchLimit(limit)
    const search = checkSearch(text)
    if (!search) return { tasks: [], messages: [], documents: [], agents: [] }
    const { accountId } = ctx
    const budget = () => byteBudget(BYTES_PER_KIND)
    return {
      tasks: await searchTasks(ctx, accountId, text, { limit }, budget()),
      messages: await searchMessages(ctx, accountId, search, limit, budget()),
      documents: await searchDocuments(ctx, accountId, search, limit, budget()),
      agents: await searchAgents(ctx, accountId, text, limit),
    }
  },
})
