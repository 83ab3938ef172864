/**
 * What behaviour tests know of an engine. The same tests run on convex-test (the library's mock) and on the embedded backend, so
 * that a rule is not true on one of them only.
 */
import type { FunctionArgs, FunctionReference, FunctionReturnType, UserIdentity } from 'convex/server'
import type { MutationCtx } from '../../convex/_generated/server.js'

type Visible = 'public' | 'internal'
export type QueryRef = FunctionReference<'query', Visible>
export type MutationRef = FunctionReference<'mutation', Visible>
export type ActionRef = FunctionReference<'action', Visible>

export interface Caller {
  query<F extends QueryRef>(fn: F, args: FunctionArgs<F>): Promise<FunctionReturnType<F>>
  mutation<F extends MutationRef>(fn: F, args: FunctionArgs<F>): Promise<FunctionReturnType<F>>
  action<F extends ActionRef>(fn: F, args: FunctionArgs<F>): Promise<FunctionReturnType<F>>
}

export interface Backend extends Caller {
  readonly name: string
  /** As a signed-in user; the identity's tokenIdentifier is `test|<name>`. `claims` stand in place of its own. */
  as(name: string, claims?: Claims): Caller
  /** Inside a mutation. */
  run<T>(body: (ctx: MutationCtx) => Promise<T>): Promise<T>
  /** All rows of a table as they are committed, oldest first, where there is a quicker way than `run`. Rows that have not changed are the same objects as before. */
  readonly rows?: (table: string) => readonly unknown[]
  now(): number
  /** Moves time and runs what has become due. */
  advance(ms: number): Promise<void>
  /** Runs scheduled functions that are due, and those they schedule. */
  finishScheduled(): Promise<void>
  close(): Promise<void>
}

/** What an issuer may say of a user beside who it is; `undefined` for what it does not say. */
export type Claims = { readonly [K in 'name' | 'email' | 'emailVerified' | 'email_verified']?: UserIdentity[K] | undefined }

/** Time starts here in every test. */
export const START = Date.UTC(2030, 0, 1)

export const identityOf = (name: string, claims: Claims = {}): UserIdentity =>
  ({
    subject: name,
    issuer: 'test',
    tokenIdentifier: `test|${name}`,
    name,
    email: `${name.toLowerCase()}@example.org`,
    ...claims,
  }) as UserIdentity
