/** What the team writes down: folders and documents with all their versions. */
import { defineTable } from 'convex/server'
import { v } from 'convex/values'
import { nullable, vActorType, vDocumentKind, vDocumentType } from '../lib/validators.js'

export const documentTables = {
  documents: defineTable({
    accountId: v.id('accounts'),
    kind: vDocumentKind,
    parentId: nullable(v.id('documents')),
    title: v.string(),
    /** Lower case, what a folder is sorted by. */
    titleKey: v.string(),
    /** `null` for folders. */
    type: nullable(vDocumentType),
    taskId: nullable(v.id('tasks')),
    /** The newest version's number; 0 for folders. */
    version: v.number(),
    /** Of the newest version, in bytes of UTF-8. */
    bytes: v.number(),
    authorType: vActorType,
    authorId: v.string(),
    authorName: v.string(),
    updatedAt: v.number(),
    /** Names the removal: no two of an account have the same, and all that went with a folder have the folder's. */
    deletedAt: nullable(v.number()),
    /** A caller's idempotency key (model/keys.ts). */
    key: v.optional(v.string()),
  })
    .index('by_account_key', ['accountId', 'key'])
    .index('by_account_parent', ['accountId', 'deletedAt', 'parentId', 'titleKey'])
    // Folders of a folder, however many documents are beside them.
    .index('by_account_kind_parent', ['accountId', 'deletedAt', 'kind', 'parentId'])
    .index('by_account_task', ['accountId', 'deletedAt', 'taskId', 'updatedAt'])
    .index('by_account_type', ['accountId', 'deletedAt', 'type', 'updatedAt'])
    .index('by_account_updated', ['accountId', 'deletedAt', 'updatedAt'])
    .searchIndex('search_title', { searchField: 'title', filterFields: ['accountId', 'deletedAt'] }),

  /** Never changed, but for `latest`, which moves to the next one. */
  documentVersions: defineTable({
    accountId: v.id('accounts'),
    documentId: v.id('documents'),
    version: v.number(),
    content: v.string(),
    /** Of a document that is not deleted. */
    latest: v.boolean(),
    authorType: vActorType,
    authorId: v.string(),
    authorName: v.string(),
  })
    .index('by_account_document', ['accountId', 'documentId', 'version'])
    .searchIndex('search_content', { searchField: 'content', filterFields: ['accountId', 'latest'] }),
}
