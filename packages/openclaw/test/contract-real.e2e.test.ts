import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { contract } from './contract.ts'
import { installedOpenClaw, prepareRealGateway } from './real-gateway.ts'

const entry = installedOpenClaw()

if (entry === null) {
  describe('gateway contract: real', () => it.skip('needs OpenClaw', () => undefined))
} else {
  contract({
    name: 'real',
    // It outlasts a restart of the gateway, which takes a minute on a busy machine.
    turnMs: 150_000,
    async start() {
      const real = await prepareRealGateway(entry)
      const { host, model } = real
      await host.start()
      return {
        url: host.status().url,
        token: (await readFile(join(real.options.stateDir, 'gateway.token'), 'utf8')).trim(),
        client: host.client,
        workspaceRoot: join(real.dir, 'workspaces'),
        gate: model.gate,
        modelCalls: (text) => model.requests.filter((request) => request.prompt.includes(text)).length,
        async crashAndRestart() {
          const { pid } = host.status()
          const booted = new Promise<void>((resolve) => {
            const stop = host.onBoot(() => {
              stop()
              resolve()
            })
          })
          process.kill(pid ?? 0, 'SIGKILL')
          await booted
        },
        stop: async () => real[Symbol.asyncDispose](),
      }
    },
  })
}
