/** HTTP actions: a Request in, a Response out, with the context of an action. */
import { httpActionGeneric } from 'convex/server'
import { currentExecution, type Execution } from './execution.ts'
import { withEngineTime } from './scheduler-time.ts'
import { asUserCode } from './thread-time.ts'

export interface HttpHandler {
  _handler?: (ctx: unknown, request: Request) => Promise<Response>
}

const invoker = httpActionGeneric((ctx, request) => {
  const { handler } = currentExecution()!.fn
  return handler(withEngineTime(ctx), request) as Promise<Response>
}) as unknown as { invokeHttpAction(request: Request): Promise<Response> }

export function invokeHttp(execution: Execution, request: Request): Promise<Response> {
  return asUserCode(execution, () => invoker.invokeHttpAction(request))
}
