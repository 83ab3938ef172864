import type { Clock, Random } from '@mission-control/shared/clock'
import type { Client, Connected } from '../client.ts'
import type { GatewayError } from '../errors.ts'

/** stopped -> starting -> running -> (died: waiting -> starting) | (cannot run: failed -> starting again by hand) -> stopped */
export type HostState = 'stopped' | 'starting' | 'running' | 'waiting' | 'failed'

export interface HostStatus {
  readonly state: HostState
  /** `supervised`: our child. `adopted`: a child of an earlier life. `external`: somebody else's. */
  readonly kind: 'supervised' | 'adopted' | 'external'
  readonly pid: number | null
  readonly url: string
  readonly bootId: string | null
  /** Version the gateway reports; null while there is no connection. */
  readonly version: string | null
  /** Deaths since the first `start`, not counting the ones we asked for. */
  readonly deaths: number
  /** Milliseconds from spawn to ready of the last start; null when adopted or external. */
  readonly startMs: number | null
  readonly lastError: GatewayError | null
}

export interface StopOptions {
  /** Leave the gateway running, to be adopted by the next process. Default false. */
  readonly keepGateway?: boolean
  /** Milliseconds from SIGTERM to SIGKILL. Default 10 s. The gateway's own drain would take up to 315 s. */
  readonly graceMs?: number
}

/** A gateway to talk to, however it came to be. */
export interface GatewayHost extends AsyncDisposable {
  /**
   * Resolves when the gateway answered the handshake. A gateway that dies while starting is started again with backoff; throws on
   * what only a person can repair, and with the signal's reason. In the state `failed`, also when a later restart led to it, it may
   * be called again: the port may be free by then, the configuration repaired. Not after `stop`.
   */
  start(signal?: AbortSignal): Promise<Connected>
  /** Ends the gateway (and all its children) unless told to keep it. Safe to call twice. */
  stop(options?: StopOptions): Promise<void>
  status(): HostStatus
  /** Calls back with the boot id at each new gateway process. */
  onBoot(listener: (bootId: string) => void): () => void
  /** Calls back each time the connection is lost or given up. Returns the way to stop it. */
  onDisconnect(listener: () => void): () => void
  /**
   * Calls back with the new status whenever the gateway or the connection to it changed: started, connected, lost, died, failed.
   * Nobody has to poll `status`. Two calls in a row may tell the same. Returns the way to stop it.
   */
  onChange(listener: (status: HostStatus) => void): () => void
  /** The one connection; it survives restarts of the gateway. */
  readonly client: Client
}

export interface HostDeps {
  readonly clock: Clock
  readonly random: Random
  /** One line per event worth knowing. */
  readonly log?: (event: HostEvent) => void
}

export interface HostEvent {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly pid?: number
  readonly ms?: number
}
