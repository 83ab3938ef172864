/**
 * The environment of a supervised gateway: an allow-list, because agents run in there and whatever is in our environment
 * (the service token above all) would be theirs.
 */
const PASSED_ON: readonly string[] = [
  'PATH',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SYSTEMROOT',
]

export interface GatewayEnvironment {
  readonly stateDir: string
  readonly configFile: string
  /** The gateway's home folder; never ours, it would read our OpenClaw settings. */
  readonly home: string
  /** What the model provider needs (API keys). */
  readonly model: Readonly<Record<string, string>>
}

export function gatewayEnv(
  ours: Readonly<Record<string, string | undefined>>,
  options: GatewayEnvironment,
): Record<string, string> {
  const passed = Object.fromEntries(PASSED_ON.flatMap((name) => (ours[name] === undefined ? [] : [[name, ours[name]]])))
  return {
    ...passed,
    ...options.model,
    HOME: options.home,
    OPENCLAW_STATE_DIR: options.stateDir,
    OPENCLAW_CONFIG_PATH: options.configFile,
    // Keeps the pid: otherwise it replaces itself by a child of its own and ours would be gone.
    OPENCLAW_NO_RESPAWN: '1',
    OPENCLAW_DISABLE_BONJOUR: '1',
    OPENCLAW_SKIP_CHANNELS: '1',
    OPENCLAW_EXEC_SHELL_SNAPSHOT: '0',
  }
}
