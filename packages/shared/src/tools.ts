/**
 * What agents can do: the tools, their arguments as plain JSON schema, and the check of what a model sent. The MCP server publishes
 * the schemas, the backend checks and executes; what an agent may do with them is decided by the backend alone.
 */
import { DOCUMENT_TYPES, TASK_STATUSES } from './enums.ts'
import type { TaskStatus } from './enums.ts'
import { LIMITS } from './limits.ts'

interface TextSchema {
  readonly type: 'string'
  readonly description: string
  /** Without it: 1. */
  readonly minLength?: number
  readonly maxLength?: number
  readonly enum?: readonly string[]
}
interface IntegerSchema {
  readonly type: 'integer'
  readonly description: string
  readonly minimum: number
  readonly maximum: number
}
interface TextsSchema {
  readonly type: 'array'
  readonly description: string
  readonly items: { readonly type: 'string' }
  readonly minItems: number
  readonly maxItems: number
}
export type ArgumentSchema = TextSchema | IntegerSchema | TextsSchema
type Properties = Readonly<Record<string, ArgumentSchema>>

/** `read`: changes nothing, `service/tools:read`. `create`: done once per attempt of a turn. `set`: a no-op where it holds already. */
export type ToolKind = 'read' | 'create' | 'set'

/** The largest id, slug or cursor that may be sent. */
const NAME_CHARS = 500
const id = (what: string) => ({ type: 'string', description: `Id of the ${what}.`, maxLength: NAME_CHARS }) as const
const text = (description: string, maxLength: number, minLength = 1) =>
  ({ type: 'string', description, minLength, maxLength }) as const
const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  ({ type: 'string', description, enum: values }) as const
const texts = (description: string, maxItems: number) =>
  ({ type: 'array', description, items: { type: 'string' }, minItems: 1, maxItems }) as const

/** Lines of one page. */
export const PAGE_LINES = { default: 20, max: 50 } as const
const paging = {
  cursor: text('The `cursor` of the page before, to read on with the same other arguments.', 4_000),
  limit: { type: 'integer', description: `Lines, ${PAGE_LINES.default} by default.`, minimum: 1, maximum: PAGE_LINES.max },
} as const satisfies Properties
const TURN = {
  type: 'string',
  description: 'The code of your turn; it stands at the top of the message.',
  maxLength: 64,
} as const

/** States an agent may move a task to. The inbox follows from having no assignee, and people archive. */
export const AGENT_TASK_STATUSES = [
  'assigned',
  'in_progress',
  'review',
  'done',
  'blocked',
] as const satisfies readonly TaskStatus[]

function tool<const K extends ToolKind, const P extends Properties, const R extends keyof P & string>(
  kind: K,
  description: string,
  properties: P,
  required: readonly R[],
) {
  const all: P & { readonly turn: typeof TURN } = { ...properties, turn: TURN }
  return { kind, description, parameters: { type: 'object', properties: all, required, additionalProperties: false } } as const
}

export const TOOLS = {
  task_get: tool('read', 'One task: description, state, assignees, labels.', { task: id('task') }, ['task']),
  task_list: tool(
    'read',
    'Tasks assigned to you. The lead may list those of another agent, or a whole status with scope "account".',
    {
      status: oneOf(TASK_STATUSES, 'Only tasks in this state. Without it, all that are not archived.'),
      assignee: text('Slug of another agent (lead only).', NAME_CHARS),
      scope: oneOf(['own', 'account'], '"account": all tasks of `status`, whoever has them (lead only).'),
      ...paging,
    },
    [],
  ),
  task_search: tool(
    'read',
    'Finds tasks you can see by words of their title and description.',
    {
      query: text('Words to look for.', LIMITS.searchChars),
      status: oneOf(TASK_STATUSES, 'Only tasks in this state.'),
      limit: paging.limit,
    },
    ['query'],
  ),
  task_create: tool(
    'create',
    'Makes a task in the inbox. The lead may name assignees: it is assigned to them at once.',
    {
      title: text('One line.', LIMITS.titleChars),
      description: text('What is to be done and how one sees that it is.', LIMITS.descriptionChars, 0),
      priority: { type: 'integer', description: '1 (highest) to 5; 3 by default.', minimum: 1, maximum: 5 },
      labels: texts('Labels.', LIMITS.labelsPerTask),
      due: text('When it is due: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ.', 30),
      assignees: texts('Slugs of agents (lead only).', LIMITS.assigneesPerTask),
    },
    ['title'],
  ),
  task_update_status: tool(
    'set',
    'Moves a task, if it is still in the state you saw it in.',
    {
      task: id('task'),
      from: oneOf(TASK_STATUSES, 'The state you saw it in.'),
      status: oneOf(AGENT_TASK_STATUSES, 'The state it moves to.'),
      reason: text('Why; needed for "blocked".', LIMITS.reasonChars),
    },
    ['task', 'from', 'status'],
  ),
  task_assign: tool(
    'set',
    'Assigns agents to a task, beside those it has (lead only).',
    { task: id('task'), assignees: texts('Slugs of agents.', LIMITS.assigneesPerTask) },
    ['task', 'assignees'],
  ),
  thread_read: tool('read', "The messages of a task's thread, newest first.", { task: id('task'), ...paging }, ['task']),
  message_post: tool(
    'create',
    "Writes a message into a task's thread, beside your reply. It wakes no other agent: for that use response_request.",
    { task: id('task'), content: text('Markdown.', LIMITS.messageChars) },
    ['task', 'content'],
  ),
  response_request: tool(
    'create',
    "Asks other agents a question in a task's thread. Their answers come to you as turns of their own; do not wait for them.",
    {
      task: id('task'),
      recipients: texts('Slugs of the agents asked.', LIMITS.responseRequestRecipients),
      message: text('The question, with all one must know to answer it.', LIMITS.responseRequestChars),
    },
    ['task', 'recipients', 'message'],
  ),
  document_list: tool(
    'read',
    'Documents and folders: of a folder, of a task, or of a type; without any of them, the newest.',
    {
      folder: id('folder; "root" for the top level'),
      task: id('task'),
      type: oneOf(DOCUMENT_TYPES, 'Only documents of this type.'),
      ...paging,
    },
    [],
  ),
  document_read: tool(
    'read',
    'A document, or a part of a long one.',
    {
      document: id('document'),
      offset: {
        type: 'integer',
        description: 'First character; the `nextOffset` of the part before.',
        minimum: 0,
        maximum: LIMITS.documentBytes,
      },
    },
    ['document'],
  ),
  document_write: tool(
    'set',
    'Writes a document: without `document` a new one with `title`; with it, the next version of that one.',
    {
      document: id('document'),
      base: {
        type: 'integer',
        description: 'The version you read; nothing is written over a newer one.',
        minimum: 1,
        maximum: 1e9,
      },
      title: text('Of a new document.', LIMITS.titleChars),
      content: text('Markdown, the whole text.', LIMITS.documentBytes, 0),
      type: oneOf(DOCUMENT_TYPES, 'Of a new document; "note" by default.'),
      task: id('task a new document belongs to'),
      folder: id('folder a new document is put into'),
    },
    ['content'],
  ),
  agent_list: tool('read', 'Your colleagues: slug, name, role.', paging, []),
  activity_list: tool(
    'read',
    'What happened, newest first: on a task, or done by you. The lead sees the whole account.',
    { task: id('task'), ...paging },
    [],
  ),
  notification_list: tool('read', 'What you were told, newest first, and what became of it.', paging, []),
} as const satisfies Readonly<Record<string, { readonly kind: ToolKind }>>

export type ToolName = keyof typeof TOOLS
export const TOOL_NAMES = Object.keys(TOOLS) as ToolName[]

type ValueOf<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: 'array' }
    ? readonly string[]
    : S extends { readonly type: 'integer' }
      ? number
      : string
type PropertiesOf<T extends ToolName> = Omit<(typeof TOOLS)[T]['parameters']['properties'], 'turn'>
type RequiredOf<T extends ToolName> = (typeof TOOLS)[T]['parameters']['required'][number]
/** The checked arguments of a tool, without `turn`. */
export type ToolArgs<T extends ToolName> = {
  readonly [K in keyof PropertiesOf<T> as K extends RequiredOf<T> ? K : never]: ValueOf<PropertiesOf<T>[K]>
} & {
  readonly [K in keyof PropertiesOf<T> as K extends RequiredOf<T> ? never : K]?: ValueOf<PropertiesOf<T>[K]> | undefined
}

export type CheckedArgs<T extends ToolName> =
  | { readonly ok: true; readonly args: ToolArgs<T> }
  /** One sentence that says what is wrong and what would be right. */
  | { readonly ok: false; readonly refusal: string }

export const isToolName = (name: string): name is ToolName => Object.hasOwn(TOOLS, name)

/** Checks what a model sent. `turn` is dropped, and so is `null`, which models send for what they leave out. */
export function checkToolArgs<T extends ToolName>(name: T, given: unknown): CheckedArgs<T> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return { ok: false, refusal: `The arguments of ${name} must be a JSON object.` }
  }
  const { properties, required } = TOOLS[name].parameters as {
    readonly properties: Properties
    readonly required: readonly string[]
  }
  const names = Object.keys(properties).filter((key) => key !== 'turn')
  const args: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(given)) {
    const schema = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (!schema) return { ok: false, refusal: `"${key.slice(0, 50)}" is no argument of ${name}; it takes ${names.join(', ')}.` }
    if (key === 'turn' || value === null || value === undefined) continue
    const wanted = refusalOf(schema, value)
    if (wanted !== null) return { ok: false, refusal: `"${key}" of ${name} must be ${wanted}.` }
    args[key] = value
  }
  const missing = required.find((key) => !Object.hasOwn(args, key))
  if (missing !== undefined) return { ok: false, refusal: `${name} needs the argument "${missing}".` }
  return { ok: true, args: args as ToolArgs<T> }
}

/** What the value must be, or `null` if it is. */
function refusalOf(schema: ArgumentSchema, value: unknown): string | null {
  switch (schema.type) {
    case 'string': {
      if (schema.enum) return typeof value === 'string' && schema.enum.includes(value) ? null : `one of ${schema.enum.join(', ')}`
      const { minLength = 1, maxLength = NAME_CHARS } = schema
      const fits = typeof value === 'string' && value.length >= minLength && value.length <= maxLength
      return fits ? null : `a text of ${minLength} to ${maxLength} characters`
    }
    case 'integer': {
      const fits = Number.isInteger(value) && Number(value) >= schema.minimum && Number(value) <= schema.maximum
      return fits ? null : `a whole number from ${schema.minimum} to ${schema.maximum}`
    }
    case 'array': {
      const isText = (item: unknown) => typeof item === 'string' && item.length > 0 && item.length <= NAME_CHARS
      const fits = Array.isArray(value) && value.length >= schema.minItems && value.length <= schema.maxItems
      return fits && value.every(isText) ? null : `a list of ${schema.minItems} to ${schema.maxItems} texts`
    }
  }
}
