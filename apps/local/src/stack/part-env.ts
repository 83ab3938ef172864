/** What a part inherits: enough to run and to reach the network through a private CA, and none of the user's secrets. */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'TMPDIR',
  'LANG',
  'LC_ALL',
  'TZ',
  'NO_COLOR',
  'LOG_LEVEL',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'HTTPS_PROXY',
  'NO_PROXY',
] as const

export function partEnv(own: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
  return { ...inherited, ...own }
}

/** Issuers that the person who starts the stack trusts; packages/backend/README.md says what each is. */
const ISSUER_VARIABLES = ['AUTH_ISSUER', 'AUTH_AUDIENCE', 'AUTH_JWKS', 'AUTH_ALGORITHM'].flatMap((name) => [
  name,
  `${name}_2`,
  `${name}_3`,
])

export function issuersIn(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(ISSUER_VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}
