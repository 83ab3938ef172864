/**
 * docs/errors.md: every error code and exit code of the product in one page, out of the registries the code itself uses.
 * Run by `yarn workspace @mission-control/devtools run generate`; a test fails when the page has drifted.
 */
import { writeFileSync } from 'node:fs'
import { WIRE_CODES } from '@mission-control/embedded/wire-codes'
import { GATEWAY_ERRORS } from '@mission-control/openclaw/errors'
import type { ErrorInfo } from '@mission-control/shared/errors'
import { ERRORS } from '@mission-control/shared/errors'
import { EXIT_MEANINGS } from '@mission-control/shared/exit-codes'

export const ERROR_DOCS_FILE = new URL('../../../docs/errors.md', import.meta.url)

/** Every code that may stand in a refusal, a log line, a trace or a metric. */
export const ALL_CODES: ReadonlySet<string> = new Set([
  ...Object.keys(ERRORS),
  ...Object.keys(GATEWAY_ERRORS),
  ...Object.keys(WIRE_CODES),
])

const cell = (text: string) => text.replaceAll('|', '\\|')
const rows = (errors: Readonly<Record<string, ErrorInfo>>, from: string) =>
  Object.entries(errors).map(
    ([code, info]) => `| \`${code}\` | ${from} | ${info.class} | ${cell(info.meaning)} | ${cell(info.whatToDo)} |`,
  )

export function errorDocs(): string {
  return [
    '# Errors',
    '',
    '<!-- Generated from the registries of packages/shared, packages/openclaw and packages/embedded by `yarn workspace @mission-control/devtools run generate`; do not edit. -->',
    '',
    'Every refusal, log line, trace and metric that names a code names one of these. The class says what happens next: `retryable` is tried',
    'again with backoff, `terminal` never works as it stands, `configuration` needs a person and uses up no attempt, `auth` is a refused',
    'identity, `conflict` is a caller that must look again.',
    '',
    '## Codes of the product',
    '',
    '| Code | From | Class | What it means | What to do |',
    '| --- | --- | --- | --- | --- |',
    ...rows(ERRORS, 'backend, runtime'),
    ...rows(GATEWAY_ERRORS, 'gateway'),
    '',
    '## Codes of the embedded backend’s HTTP and sync API',
    '',
    '| Code | What it means | What to do |',
    '| --- | --- | --- |',
    ...Object.entries(WIRE_CODES).map(([code, [meaning, whatToDo]]) => `| \`${code}\` | ${cell(meaning)} | ${cell(whatToDo)} |`),
    '',
    '## Exit codes',
    '',
    '`mission-control-runtime`, `mission-control-backend` and `mc` agree on them; the last two use 0, 1, 2 and the signals.',
    '',
    '| Code | When |',
    '| --- | --- |',
    ...EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${cell(meaning)} |`),
    '',
  ].join('\n')
}

if (import.meta.main) writeFileSync(ERROR_DOCS_FILE, errorDocs())
