/** What the process says at its end. */
export const EXIT = { ok: 0, failed: 1, usage: 2, configuration: 3, authentication: 4, unreachable: 5, degraded: 6 } as const
