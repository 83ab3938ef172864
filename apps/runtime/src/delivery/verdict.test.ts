import { describe, expect, it } from 'vitest'
import type { GatewayErrorCode } from '@mission-control/openclaw/errors'
import { GATEWAY_ERRORS, GatewayError } from '@mission-control/openclaw/errors'
import { Interrupt, verdictOfError, verdictOfRefusal, verdictOfReply } from './verdict.ts'

type Means =
  'uses an attempt' | 'never again' | 'waits for a repair' | 'given back, claims stop' | 'given back' | 'given back, new key'

/** What each code means for the item while the gateway is up, and while it is known to be down. Complete by its type. */
const MEANING: Record<GatewayErrorCode, readonly [up: Means, down: Means]> = {
  GATEWAY_UNREACHABLE: ['given back, claims stop', 'given back'],
  GATEWAY_DISCONNECTED: ['given back', 'given back'],
  GATEWAY_BUSY: ['given back, claims stop', 'given back'],
  GATEWAY_AUTH: ['given back, claims stop', 'given back, claims stop'],
  GATEWAY_PROTOCOL: ['given back, claims stop', 'given back, claims stop'],
  GATEWAY_REJECTED: ['never again', 'never again'],
  UNKNOWN_AGENT: ['waits for a repair', 'waits for a repair'],
  OPENCLAW_NOT_FOUND: ['given back, claims stop', 'given back, claims stop'],
  OPENCLAW_NODE_TOO_OLD: ['waits for a repair', 'waits for a repair'],
  GATEWAY_CONFIG_INVALID: ['waits for a repair', 'waits for a repair'],
  GATEWAY_STATE_OWNED: ['waits for a repair', 'waits for a repair'],
  GATEWAY_PORT_TAKEN: ['waits for a repair', 'waits for a repair'],
  GATEWAY_START_FAILED: ['given back, claims stop', 'given back'],
  CONFIG_CONFLICT: ['uses an attempt', 'given back'],
  TURN_KEY_SPENT: ['given back, new key', 'given back'],
  TURN_FAILED: ['uses an attempt', 'given back'],
  TURN_MODEL_CONFIG: ['waits for a repair', 'waits for a repair'],
  TURN_TIMEOUT: ['uses an attempt', 'given back'],
  TURN_STUCK: ['uses an attempt', 'given back'],
  TURN_ABORTED: ['uses an attempt', 'given back'],
}

const meaningOf = (verdict: ReturnType<typeof verdictOfError>): Means => {
  if (verdict.kind === 'release') {
    if (verdict.gateway === 'refuses') return 'given back, claims stop'
    return verdict.gateway === 'fine' ? 'given back, new key' : 'given back'
  }
  if (verdict.kind !== 'fail') throw new Error(`a failed turn cannot ${verdict.kind}`)
  return verdict.class === 'retryable' ? 'uses an attempt' : verdict.class === 'terminal' ? 'never again' : 'waits for a repair'
}

describe('what a turn dies of', () => {
  const codes = Object.keys(GATEWAY_ERRORS) as GatewayErrorCode[]

  it.each(codes)('%s: means one thing, and keeps its code, its words and its end', (code) => {
    for (const [index, up] of [true, false].entries()) {
      for (const ended of [true, false]) {
        const verdict = verdictOfError(new GatewayError(code, 'the  words', { ended, retryAfterMs: 7 }), null, up)
        expect(meaningOf(verdict)).toBe(MEANING[code][index])
        expect(verdict).toMatchObject({ code, reason: 'the words', retryAfterMs: 7 })
        // A burnt key is over whatever its error forgot to say.
        expect('ended' in verdict && verdict.ended).toBe(ended || (code === 'TURN_KEY_SPENT' && up))
      }
    }
  })

  it('a defect of ours uses an attempt, or it would be repeated for ever, and says nothing of the turn', () => {
    expect(verdictOfError(new TypeError('x is not a function'), null, true)).toMatchObject({
      kind: 'fail',
      class: 'retryable',
      code: 'TURN_FAILED',
      reason: 'TypeError: x is not a function',
      ended: false,
    })
  })

  it.each([
    ['superseded', { kind: 'drop' }, { kind: 'drop' }],
    ['shutdown', { kind: 'release', code: 'SHUTDOWN' }, { kind: 'settle' }],
    ['gatewayDown', { kind: 'release', code: 'GATEWAY_UNREACHABLE', gateway: 'lost' }, { kind: 'settle' }],
    ['stopped', { kind: 'fail', code: 'STOPPED' }, { kind: 'settle' }],
  ] as const)(
    'interrupted (%s): the reason decides, not the error; an answer that won the race counts',
    (why, failed, answered) => {
      const error = new GatewayError('TURN_ABORTED', 'the turn was aborted', { ended: true })
      expect(verdictOfError(error, why, true)).toMatchObject(failed)
      expect(verdictOfReply({ text: 'done', usage: null }, why)).toMatchObject(answered)
    },
  )

  it('only a stop and a shutdown end the turn in the gateway', () => {
    const modes = (['stopped', 'shutdown', 'superseded', 'gatewayDown'] as const).map((why) => new Interrupt(why).mode)
    expect(modes).toEqual(['discard', 'abort', 'detach', 'detach'])
  })
})

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
