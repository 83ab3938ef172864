/**
 * What a test may ask of the scripted model from inside a message. Only the newest real user message counts, so that a
 * directive of an earlier turn does not fire again when the transcript is replayed to the model.
 *
 *   [[say:text]]           answer with exactly this text
 *   [[sleep:ms]]           think this long first
 *   [[gate:name]]          think until the test releases the gate (a signal instead of a sleep)
 *   [[fail:status]]        answer with this HTTP status
 *   [[hang]]               never answer
 *   [[tool:name {json}]]   call a tool, once; the next step sees its result
 *
 * What stands between two tools is done between them. In texts of `tool` and `say`, `{{turn}}` is the code of the turn and
 * `{{1.task.id}}` a member of the first tool's result.
 */
export type Directive =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'gate'; readonly name: string }
  | { readonly kind: 'fail'; readonly status: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'tool'; readonly name: string; readonly args: unknown }

const DIRECTIVE = /\[\[(say|sleep|gate|fail|hang|tool)(?::([\s\S]*?))?\]\]/g

/** The directives of a text in the order they stand there. Throws on a malformed one: a test with a typing error must not pass. */
export function parseDirectives(text: string): Directive[] {
  return [...text.matchAll(DIRECTIVE)].map(([whole, kind, body = '']) => {
    switch (kind) {
      case 'say':
        return { kind, text: body }
      case 'sleep':
        return { kind, ms: wholeNumber(body, whole) }
      case 'gate':
        return { kind, name: body }
      case 'fail':
        return { kind, status: wholeNumber(body, whole) }
      case 'tool': {
        const [, name = '', json = ''] = /^\s*(\S+)\s*([\s\S]*)$/.exec(body) ?? []
        return { kind, name, args: json === '' ? {} : (JSON.parse(json) as unknown) }
      }
      default:
        return { kind: 'hang' }
    }
  })
}

function wholeNumber(text: string, whole: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new Error(`${whole}: not a whole number`)
  return value
}
