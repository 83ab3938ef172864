/** Turns over packages/openclaw: one `runTurn` per request, its times observed, its usage in the backend's words. */
import type { Clock } from '@mission-control/shared/clock'
import type { RunUsage } from '@mission-control/shared/service-contract'
import { isGatewayError } from '@mission-control/openclaw/errors'
import type { Gateway, TurnUsage } from '@mission-control/openclaw/gateway'
import { runTurn } from '@mission-control/openclaw/turn/run'
import type { GatewayState, Turns } from './turns.ts'

/** Whether there is a gateway to talk to. */
export interface GatewayLink {
  state(): GatewayState
  onChange(listener: (state: GatewayState) => void): () => void
  /** Supervised by this runtime. */
  readonly isOurs: boolean
}

export function createTurns({ gateway, link, clock }: { gateway: Gateway; link: GatewayLink; clock: Clock }): Turns {
  return {
    async run(request, signal) {
      const { sessionKey, turnKey, message, reconcile, timeoutMs } = request
      const observed: Gateway = {
        ...gateway,
        send: (sent, sendSignal) => {
          request.onSent()
          return gateway.send(sent, sendSignal)
        },
      }
      try {
        const result = await runTurn(
          { gateway: observed, clock },
          { sessionKey, turnKey, message, reconcile, timeoutMs, signal, onAccepted: () => request.onAccepted() },
        )
        return { text: result.text, usage: result.usage && runUsage(result.usage) }
      } catch (error) {
        if (isGatewayError(error) && error.usage !== null) request.onSpent(runUsage(error.usage))
        throw error
      }
    },
    state: () => link.state(),
    gatewayIsOurs: link.isOurs,
    onChange: (listener) => link.onChange(listener),
  }
}

/** Cached input counts as input: the model has read it. */
function runUsage({ model, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, costUsd }: TurnUsage): RunUsage {
  return {
    model,
    inputTokens: inputTokens + cacheReadTokens + cacheWriteTokens,
    outputTokens,
    // 0 means that the gateway knows no price, not that it was free.
    costUsd: costUsd > 0 ? costUsd : null,
  }
}
