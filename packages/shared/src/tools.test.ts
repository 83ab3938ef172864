import { describe, expect, expectTypeOf, it } from 'vitest'
import { canonicalJson } from './canonical-json.ts'
import type { ToolArgs } from './tools.ts'
import { checkToolArgs, isToolName, TOOL_NAMES, TOOLS } from './tools.ts'

const refusal = (name: Parameters<typeof checkToolArgs>[0], args: unknown) => {
  const checked = checkToolArgs(name, args)
  return checked.ok ? null : checked.refusal
}

describe('tool arguments', () => {
  it('are taken as they are, without the turn and without null', () => {
    expect(checkToolArgs('task_get', { task: 't1', turn: 'abc123' })).toEqual({ ok: true, args: { task: 't1' } })
    expect(checkToolArgs('task_list', { status: null, limit: 5 })).toEqual({ ok: true, args: { limit: 5 } })
    expect(checkToolArgs('task_list', {})).toEqual({ ok: true, args: {} })
  })

  it.each([
    ['task_get', [], 'The arguments of task_get must be a JSON object.'],
    ['task_get', null, 'The arguments of task_get must be a JSON object.'],
    ['task_get', {}, 'task_get needs the argument "task".'],
    ['task_get', { task: null }, 'task_get needs the argument "task".'],
    ['task_get', { task: 7 }, '"task" of task_get must be a text of 1 to 500 characters.'],
    ['task_get', { task: '' }, '"task" of task_get must be a text of 1 to 500 characters.'],
    ['task_get', { task: 't', id: 't' }, '"id" is no argument of task_get; it takes task.'],
    ['task_get', { task: 't', constructor: 'x' }, '"constructor" is no argument of task_get; it takes task.'],
    ['task_list', { limit: 0 }, '"limit" of task_list must be a whole number from 1 to 50.'],
    ['task_list', { limit: 1.5 }, '"limit" of task_list must be a whole number from 1 to 50.'],
    [
      'task_update_status',
      { task: 't', from: 'assigned', status: 'archived' },
      '"status" of task_update_status must be one of assigned, in_progress, review, done, blocked.',
    ],
    [
      'response_request',
      { task: 't', recipients: [], message: 'm' },
      '"recipients" of response_request must be a list of 1 to 10 texts.',
    ],
    [
      'response_request',
      { task: 't', recipients: ['a', 1], message: 'm' },
      '"recipients" of response_request must be a list of 1 to 10 texts.',
    ],
    [
      'response_request',
      { task: 't', recipients: ['a'], message: 'm'.repeat(1_001) },
      '"message" of response_request must be a text of 1 to 1000 characters.',
    ],
  ] as const)('%s refuses %j in one sentence', (name, args, sentence) => {
    expect(refusal(name, args)).toBe(sentence)
  })

  it('have types that follow the schemas', () => {
    expectTypeOf<ToolArgs<'task_get'>>().branded.toEqualTypeOf<{ readonly task: string }>()
    expectTypeOf<ToolArgs<'task_assign'>['assignees']>().toEqualTypeOf<readonly string[]>()
    expectTypeOf<ToolArgs<'task_list'>['limit']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<ToolArgs<'document_list'>['type']>().toEqualTypeOf<
      'deliverable' | 'note' | 'template' | 'reference' | undefined
    >()
  })
})

describe('tools', () => {
  it('are those of the contract, each with a turn, a description and a schema that closes', () => {
    expect(TOOL_NAMES.sort()).toEqual(
      ['task_get', 'task_list', 'task_search', 'task_create', 'task_update_status', 'task_assign', 'thread_read']
        .concat(['message_post', 'response_request', 'document_list', 'document_read', 'document_write'])
        .concat(['agent_list', 'activity_list', 'notification_list'])
        .sort(),
    )
    for (const name of TOOL_NAMES) {
      const { description, parameters } = TOOLS[name]
      expect(description.length).toBeGreaterThan(10)
      expect(parameters).toMatchObject({ type: 'object', additionalProperties: false, properties: { turn: { type: 'string' } } })
      const properties: object = parameters.properties
      for (const key of parameters.required) expect(Object.keys(properties)).toContain(key)
      expect(JSON.parse(JSON.stringify(parameters))).toEqual(parameters)
    }
  })

  it('are found by their own names only', () => {
    expect([isToolName('task_get'), isToolName('toString'), isToolName('task')]).toEqual([true, false, false])
  })
})

describe('canonical JSON', () => {
  it('is the same for equal values, whatever the order of their keys', () => {
    const a = canonicalJson({ b: [1, { y: 1, x: undefined, z: null }], a: 'ä' })
    expect(a).toBe('{"a":"ä","b":[1,{"y":1,"z":null}]}')
    expect(canonicalJson(JSON.parse(' {"a" : "ä", "b": [1, {"z": null, "y": 1}]}'))).toBe(a)
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]))
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}')
  })
})
