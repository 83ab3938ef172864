/** Limits checked in the backend; each refusal names the limit. Characters unless the name says otherwise. */
export const LIMITS = {
  messageChars: 100_000,
  titleChars: 2_000,
  descriptionChars: 100_000,
  reasonChars: 2_000,
  profileChars: 50_000,
  nameChars: 200,
  agentsPerAccount: 200, // of a new account; admins set it
  agentsPerAccountMax: 1_000,
  pageSize: 200,
  mentionsPerMessage: 50,
  assigneesPerTask: 50,
  tokensPerAccount: 50,
  membersPerAccount: 1_000, // all of them leave in the first transaction of an account's deletion
  invitationsPerAccount: 200, // pending ones
  labelsPerTask: 20,
  labelChars: 50,
  attachmentsPerMessage: 10,
  attachmentBytes: 20_000_000,
  documentBytes: 900_000, // UTF-8; a Convex document holds 1 MiB. Larger contents are attachments
  documentDepth: 10, // folders inside each other
  boardColumn: 20, // tasks of the first page of a column
  searchResults: 50,
  searchChars: 200,
  timeZoneChars: 64,
  responseRequestRecipients: 10,
  responseRequestChars: 1_000,
  /** Equal calls of a creating tool in one delivery: nobody means more of them. */
  sameCreatesPerItem: 20,
  /** What one claimed item may carry to the runtime, in bytes of JSON. A prompt larger than this helps no model. */
  contextBytes: 64_000,
  heartbeatMinutesMin: 1,
  heartbeatMinutesMax: 1_440,
  heartbeatMinutesDefault: 15,
  /** Fan-out above this many recipients commits with one scheduled mutation that goes on in steps of this size. */
  fanOutStep: 20,
  /** Ids one `claim` may name: a page of the ready query. Each may read a thousand messages, and a transaction 32,000 documents. */
  claimIds: 16,
  readyHeads: 16,
  /** Claims that one `settleMany` ends. Each may tell `fanOutStep` agents: sixteen of them stay below the 4,096 reads of a transaction. */
  settlesTogether: 16,
  /** Agents one check-in or one `upsertHeartbeat` may name. */
  dueAgents: 100,
  profilesPerCall: 20,
  /** Claims a check-in may list: far above any concurrency one gateway carries. */
  heldItems: 500,
  queuedPerLane: 1_000,
  depth: 8,
} as const
