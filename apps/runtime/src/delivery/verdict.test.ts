import { describe, expect, it } from 'vitest'
import { GatewayError } from '@mission-control/openclaw/errors'
import { verdictOfError, verdictOfRefusal } from './verdict.ts'

describe('the reason of a verdict', () => {
  it.each([199, 999])('is well-formed text when it is cut inside a character (at %d)', (length) => {
    const text = `${'x'.repeat(length)}\u{1f600} tail`
    for (const verdict of [
      verdictOfError(new GatewayError('TURN_FAILED', text), null, true),
      verdictOfRefusal({ kind: 'settle', outcome: 'reply', reply: '' }, text.slice(33)),
    ]) {
      if (verdict?.kind !== 'fail') throw new Error('not a failure')
      expect(verdict.reason.isWellFormed()).toBe(true)
      expect(verdict.reason.length).toBeLessThanOrEqual(1_000)
    }
  })

  it('is the only thing left of a refused result, and a release has none', () => {
    expect(verdictOfRefusal({ kind: 'settle', outcome: 'reply', reply: 'secret' }, 'too large')).toEqual({
      kind: 'fail',
      class: 'terminal',
      code: 'RESULT_REFUSED',
      reason: 'the backend refuses the result: too large',
      ended: true,
      retryAfterMs: null,
    })
    expect(verdictOfRefusal({ kind: 'drop' }, 'x')).toBeNull()
  })
})
