/** The compiler checks these: each `@ts-expect-error` fails the type check when the call becomes legal. */
import { expect, it } from 'vitest'
import type { FunctionArgs, FunctionReturnType } from 'convex/server'
import { getFunctionName } from 'convex/server'
import type * as C from '@mission-control/shared/service-contract'
import type { Brain } from './brain/brain.ts'
import { service } from './service.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Plain<T> = T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T
const same = <A, B>(..._: Equal<Plain<A>, Plain<B>> extends true ? [] : ['types differ', A, B]) => undefined

/** Never called: it is here to be compiled. */
export function wrongCalls(brain: Brain): void {
  void brain.mutate(service.claim, { epoch: 1, ids: ['a'] })
  // @ts-expect-error an id is a string
  void brain.mutate(service.claim, { epoch: 1, ids: [1] })
  // @ts-expect-error the epoch is missing
  void brain.mutate(service.claim, { ids: ['a'] })
  // @ts-expect-error there is no such field
  void brain.mutate(service.claim, { epoch: 1, ids: ['a'], limit: 3 })
  // @ts-expect-error a query is no mutation
  void brain.mutate(service.ready, {})
  void brain.mutate(service.settle, {
    id: 'a',
    fence: 1,
    // @ts-expect-error no such outcome
    outcome: 'maybe',
    reply: null,
    run: { sentAfterMs: null, acceptedAfterMs: null, repliedAfterMs: null, usage: null },
  })
  same<FunctionArgs<typeof service.claim>, C.ClaimArgs>()
  same<FunctionArgs<typeof service.checkIn>, C.CheckInArgs>()
  same<FunctionArgs<typeof service.settle>, C.SettleArgs>()
  same<FunctionArgs<typeof service.fail>, C.FailArgs>()
  same<FunctionReturnType<typeof service.hello>, C.HelloResult>()
  same<FunctionReturnType<typeof service.claim>, C.ClaimResult>()
}

it('names the functions of the contract', () => {
  expect(Object.values(service).map((fn) => getFunctionName(fn))).toContain('service/notifications:claim')
  expect(getFunctionName(service.hello)).toBe('service/runtime:hello')
})
