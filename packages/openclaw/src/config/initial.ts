/**
 * The first configuration of a gateway, as a pure function. From then on the gateway owns its file and rewrites it: changes
 * go through `live.ts`.
 */
import type { AgentEntry } from './agents.ts'
import { agentSections } from './agents.ts'
import type { ModelChoice } from './model.ts'
import { modelParams, modelRef, modelsSection } from './model.ts'

export interface InitialConfig {
  readonly port: number
  readonly token: string
  readonly model: ModelChoice | null
  readonly agents: readonly AgentEntry[]
  /** The agent OpenClaw runs its own chores as. Must be one of the agents, or the internal one when there are none yet. */
  readonly systemAgent?: string
  /** OpenClaw's own log; it otherwise goes to a folder shared by every gateway of the machine. */
  readonly logFile?: string
  /** Folder for the workspace of the internal agent that exists while the roster is empty. */
  readonly workspaceRoot: string
}

/** OpenClaw needs at least one agent to start. This one is never addressed. */
export const INTERNAL_AGENT = 'mission-control'

export function initialConfig(options: InitialConfig): Record<string, unknown> {
  const internal: AgentEntry = {
    slug: INTERNAL_AGENT,
    name: 'Mission Control',
    workspace: `${options.workspaceRoot}/${INTERNAL_AGENT}`,
  }
  const sections = agentSections([internal, ...options.agents]) as { agents: object }
  return {
    ...sections,
    gateway: {
      mode: 'local',
      bind: 'loopback',
      port: options.port,
      auth: { mode: 'token', token: options.token },
      controlUi: { enabled: false },
    },
    ...(options.logFile === undefined ? {} : { logging: { file: options.logFile } }),
    discovery: { mdns: { mode: 'off' } },
    update: { checkOnStart: false },
    telemetry: { enabled: false },
    plugins: { enabled: false },
    cron: { enabled: false },
    tools: { profile: 'minimal', toolSearch: false, deny: ['gateway'] },
    models: modelsSection(options.model),
    agents: {
      ownership: 'explicit',
      defaults: {
        ...(options.model === null ? {} : { model: { primary: modelRef(options.model) }, params: modelParams(options.model) }),
        // Empty: none. Unset, OpenClaw has a smaller model of the provider write a recap of every turn, at the account's cost.
        utilityModel: '',
        skipBootstrap: true,
        skills: [],
        heartbeat: { every: '0m' },
        systemAgent: { agentId: options.systemAgent ?? INTERNAL_AGENT },
      },
      ...sections.agents,
    },
  }
}
