import { expect, it } from 'vitest'
import { readable } from './errors.ts'

it('keeps what a part said last, and leaves out the stack of a function', () => {
  const said = 'The backend ended (exit code 1) before it was ready. It said:\nAUTH_AUDIENCE is set and AUTH_ISSUER is not.'
  expect(readable(new Error(said)).message).toBe(said)
  const stack =
    '[Request ID: 1f] Server Error\nUncaught Error: It broke.\n    at handler (../convex/x.ts:1:2)\n\n  Called by client'
  expect(readable(new Error(stack)).message).toBe('It broke.')
})
