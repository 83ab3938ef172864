/**
 * `./mc audit`: are vulnerabilities known, high or critical, of what is run in production? Asks the registry twice: Yarn for what is
 * ours, npm for OpenClaw as it is locked for the image.
 *
 * Not a part of `./mc test`: its answer changes without a change of ours, and there may be no registry to ask. Where nobody answers, it
 * says so and is no failure; `--must-answer` makes it one (CI each night). Exit: 0 nothing known or nobody answered, 1 found or broken.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import path from 'node:path'
import { EXIT } from '@mission-control/shared/exit-codes'
import { forTerminal } from '@mission-control/shared/unseen'

export interface Finding {
  readonly name: string
  readonly severity: string
  readonly title: string
  /** Where to read about it. */
  readonly url: string
}

export type Audit =
  | { readonly kind: 'answered'; readonly findings: readonly Finding[] }
  /** The registry was not there, or has no such list. */
  | { readonly kind: 'unanswered'; readonly reason: string }

/** What a tool printed, and how it ended. */
export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What a registry that cannot be reached, or has no list of advisories, makes the tools say. Anything else is a failure of ours. */
const UNANSWERED =
  /Response [Cc]ode:? (?:4(?:0[345]|10)|5\d\d)[^\n]*|RequestError[^\n]*|TimeoutError[^\n]*|\b(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ENOAUDIT)\b|audit endpoint returned an error|(?:40[345]|410|50\d) (?:Forbidden|Not Found|Method Not Allowed|Gone|Bad Gateway|Service Unavailable)[^\n]*/

const GRAVE: ReadonlySet<string> = new Set(['high', 'critical'])

/** Of `yarn npm audit --json`: a line for each advisory. @throws Error when the output is neither that nor a registry's silence */
export function readYarnAudit(ran: Ran): Audit {
  const lines = ran.stdout.split('\n').filter((line) => line.startsWith('{'))
  const findings = lines.map((line) => {
    const { value, children } = JSON.parse(line) as { value: string; children: Record<string, unknown> }
    const text = (name: string) => (typeof children[name] === 'string' ? children[name] : '')
    return { name: value, severity: text('Severity'), title: text('Issue'), url: text('URL') }
  })
  // It ends with 1 where it found something, and where it broke.
  if (findings.length > 0 || ran.status === 0) return answered(findings)
  return unanswered(ran)
}

/** Of `npm audit --json`. @throws Error when the output is neither that nor a registry's silence */
export function readNpmAudit(ran: Ran): Audit {
  let answer: { vulnerabilities?: Record<string, { severity: string; via: (string | { title: string; url: string })[] }> } = {}
  try {
    answer = JSON.parse(ran.stdout) as typeof answer
  } catch {
    return unanswered(ran)
  }
  if (answer.vulnerabilities === undefined) return unanswered(ran)
  return answered(
    Object.entries(answer.vulnerabilities).flatMap(([name, { severity, via }]) =>
      // Whoever only depends on what is vulnerable is named by the advisory's own package.
      via.flatMap((cause) => (typeof cause === 'string' ? [] : [{ name, severity, title: cause.title, url: cause.url }])),
    ),
  )
}

const answered = (findings: readonly Finding[]): Audit => ({
  kind: 'answered',
  findings: findings.filter(({ severity }) => GRAVE.has(severity.toLowerCase())),
})

function unanswered({ status, stdout, stderr }: Ran): Audit {
  const reason = UNANSWERED.exec(`${stderr}\n${stdout}`)?.[0]
  if (reason === undefined)
    throw new Error(`The audit itself failed (${status ?? 'killed'}): ${(stderr || stdout).slice(-2_000)}`)
  return { kind: 'unanswered', reason: reason.trim() }
}

/** @returns the exit code */
export function report(audits: ReadonlyMap<string, Audit>, mustAnswer: boolean, say: (line: string) => void): number {
  let code: number = EXIT.ok
  for (const [what, audit] of audits) {
    if (audit.kind === 'unanswered') {
      say(`${mustAnswer ? 'FAILED' : 'skipped'}: ${what}: the registry has no answer (${audit.reason})`)
      if (mustAnswer) code = EXIT.failed
      continue
    }
    for (const { name, severity, title, url } of audit.findings) say(forTerminal(`${severity}: ${name}: ${title} ${url}`))
    say(audit.findings.length === 0 ? `ok: ${what}: nothing high or critical is known` : `FAILED: ${what}`)
    if (audit.findings.length > 0) code = EXIT.failed
  }
  return code
}

function run(command: string, args: readonly string[], cwd: string): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 100_000_000,
  })
  if (error !== undefined && (error as NodeJS.ErrnoException).code !== 'ETIMEDOUT') throw error
  return { status, stdout, stderr: error === undefined ? stderr : `ETIMEDOUT ${stderr}` }
}

if (import.meta.main) {
  const root = path.resolve(import.meta.dirname, '../../..')
  const given = process.argv.slice(2)
  if (given.some((flag) => flag !== '--must-answer')) {
    console.error(
      'Usage: ./mc audit [--must-answer]\nFails when a high or critical vulnerability of a production dependency is known.',
    )
    process.exitCode = given.includes('--help') ? EXIT.ok : EXIT.usage
  } else {
    const yarn = path.join(root, globSync('.yarn/releases/yarn-*.cjs', { cwd: root })[0] ?? '')
    const grave = ['--severity', 'high', '--no-deprecations', '--json']
    const ours = run(
      process.execPath,
      [yarn, 'npm', 'audit', '--all', '--recursive', '--environment', 'production', ...grave],
      root,
    )
    const openclaw = run(
      'npm',
      ['audit', '--package-lock-only', '--omit=dev', '--json'],
      path.join(root, 'packages/openclaw/locked'),
    )
    const audits = new Map([
      ['production dependencies', readYarnAudit(ours)],
      ['OpenClaw in the image', readNpmAudit(openclaw)],
    ])
    process.exitCode = report(audits, given.includes('--must-answer'), (line) => console.log(line))
  }
}
