/** Turns what a Convex client throws into the sentence that was meant for a person. */
import { ConvexError } from 'convex/values'

export function readable(error: unknown): Error {
  if (error instanceof ConvexError) {
    const data = error.data as { message?: string } | string
    const message = typeof data === 'string' ? data : data.message
    return new Error(message ?? JSON.stringify(data), { cause: error })
  }
  if (!(error instanceof Error)) return new Error(String(error))
  const text = error.message
    .replace(/^\[Request ID: \w+\] Server Error\n?/, '')
    .replace(/^Uncaught /, '')
    .replace(/^(?:Error: |ConvexError: )+/, '')
    .trim()
  const missing = /missing the required field `(\w+)`/.exec(text)?.[1]
  const extra = /contains extra field `(\w+)`/.exec(text)?.[1]
  if (missing) return new Error(`The field "${missing}" is missing in the arguments.`, { cause: error })
  if (extra) return new Error(`The field "${extra}" is not known to this function.`, { cause: error })
  if (/Could not find (?:public )?function/.test(text)) {
    const name = /function for '([^']+)'/.exec(text)?.[1] ?? /'([^']+)'/.exec(text)?.[1]
    return new Error(
      `There is no public function ${name ? `"${name}"` : 'of that name'}; packages/backend/convex holds them all.`,
      { cause: error },
    )
  }
  if (/^ArgumentValidationError/.test(text)) {
    const [first = '', ...rest] = text.replace(/^ArgumentValidationError: /, '').split('\n')
    const at = rest.find((line) => line.startsWith('Path: '))?.slice('Path: '.length)
    return new Error(at ? `The argument ${at} has the wrong type or is no id of this account.` : first, { cause: error })
  }
  return new Error(withoutStack(text), { cause: error })
}

/** Clients append the stack of the function that failed; lines that were meant for the reader stay. */
function withoutStack(text: string): string {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => /^\s*(at |Called by client)/.test(line))
  return (end === -1 ? lines : lines.slice(0, end)).join('\n').trimEnd()
}
