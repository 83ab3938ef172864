/** The OpenClaw release this package is written and tested against. A contract test must pass before either line changes. */
export const OPENCLAW_VERSION = '2026.9.6'

/** Oldest Node that OpenClaw's own installer accepts; the gateway is started with the Node running us. */
export const OPENCLAW_MIN_NODE = '24.16.0'

/** Wire protocol spoken by both pinned sides. */
export const GATEWAY_PROTOCOL = 4

/** Finds the version in the output of `openclaw --version` ("OpenClaw 2026.9.6 (eb377ac)"); null when it is something else. */
export function parseVersion(output: string): string | null {
  return /OpenClaw (\d+\.\d+\.\d+\S*)/.exec(output)?.[1] ?? null
}
