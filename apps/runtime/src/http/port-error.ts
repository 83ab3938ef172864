/** Why one of our servers cannot listen, in one sentence with what to do. */
import { portTaken } from '@mission-control/host/ports'

/** `isTaken`: somebody else listens on that port, which may pass; else the address is wrong. */
export class PortError extends Error {
  override readonly name = 'PortError'
  readonly code = 'PORT_UNUSABLE'
  readonly isTaken: boolean
  constructor(message: string, isTaken: boolean, cause: unknown) {
    super(message, { cause })
    this.isTaken = isTaken
  }
}

export interface Listener {
  readonly port: number
  readonly host: string
  /** As people call it: "the health pages". */
  readonly name: string
  /** `HEALTH` of HEALTH_HOST and HEALTH_PORT. */
  readonly variables: string
}

export function portError(error: NodeJS.ErrnoException, { port, host, name, variables }: Listener): PortError {
  const { code, message } = error
  if (code === 'EADDRINUSE') {
    return new PortError(portTaken(port, name, `set ${variables}_PORT to another one (0 picks a free one)`), true, error)
  }
  const where = `${host}:${port} (${code ?? message})`
  const text = `${name} cannot listen on ${where}: correct ${variables}_HOST and ${variables}_PORT.`
  return new PortError(text.charAt(0).toUpperCase() + text.slice(1), false, error)
}
