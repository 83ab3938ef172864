/** The service token's text form, `mcs_<accountId>_<secret>`: bound to one account, 32 random bytes as base64url. */
export const SERVICE_TOKEN_PATTERN = /^mcs_([0-9a-z]{1,64})_([A-Za-z0-9_-]{43})$/

export interface ParsedServiceToken {
  readonly accountId: string
  readonly secret: string
}

/** @returns `null` when the text is no service token */
export function parseServiceToken(text: string): ParsedServiceToken | null {
  const match = SERVICE_TOKEN_PATTERN.exec(text)
  return match?.[1] && match[2] ? { accountId: match[1], secret: match[2] } : null
}

/** @param secret 32 bytes from a cryptographic source, never from inside a query or mutation (their randomness is seeded) */
export function formatServiceToken(accountId: string, secret: Uint8Array): string {
  if (secret.length !== 32) throw new RangeError('A service token needs 32 random bytes.')
  const base64 = btoa(String.fromCharCode(...secret))
  return `mcs_${accountId}_${base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`
}

/** Replaces the secret of every service token in a text, for logs and errors. */
export const redactServiceTokens = (text: string): string =>
  text.replace(/mcs_([0-9a-z]{1,64})_[A-Za-z0-9_-]{10,}/g, 'mcs_$1_***')
