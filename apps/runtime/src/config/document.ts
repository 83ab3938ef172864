/** Texts generated from the table of variables: help, `.env.example`, the docs table. */
import type { Variable } from './variables.ts'
import { VARIABLES } from './variables.ts'

const all: readonly Variable[] = VARIABLES

/** For people: `required`, the default with its unit, or `unset`. */
export function defaultOf({ required, default: value, defaultText, unit }: Variable): string {
  if (required) return 'required'
  if (value !== undefined) return unit ? `${value} ${unit}` : value
  return defaultText ?? 'unset'
}

function rangeOf({ min, max, choices }: Variable): string {
  if (choices) return choices.join(', ')
  return min === undefined || max === undefined ? '' : `${min} to ${max}`
}

/** The environment section of `--help`. */
export function helpText(): string {
  const width = Math.max(...all.map(({ name }) => name.length))
  return [
    'Environment:',
    ...all.map((variable) => `  ${variable.name.padEnd(width)}  ${variable.about} (${defaultOf(variable)})`),
  ].join('\n')
}

export function envExample(): string {
  const groups = [...new Set(all.map(({ group }) => group))]
  const lines = groups.flatMap((group) => [
    '',
    `# ${group}`,
    ...all
      .filter((variable) => variable.group === group)
      .flatMap((variable) => [`# ${variable.about} (${defaultOf(variable)})`, exampleLine(variable)]),
  ])
  return ['# Generated from apps/runtime/src/config/variables.ts; do not edit. Copy to .env for development.', ...lines, ''].join(
    '\n',
  )
}

function exampleLine({ name, required, default: value, example }: Variable): string {
  return required ? `${name}=${example ?? ''}` : `# ${name}=${value ?? example ?? ''}`
}

export function docsPage(): string {
  const rows = all.map(
    (variable) =>
      `| \`${variable.name}\` | ${cell(defaultOf(variable))} | ${cell(rangeOf(variable))} | ${cell(variable.about)} |`,
  )
  return [
    '# Environment of the runtime',
    '',
    '<!-- Generated from apps/runtime/src/config/variables.ts by `yarn workspace @mission-control/runtime run generate`; do not edit. -->',
    '',
    'A missing or malformed value ends the process with exit code 3 and one sentence that names the variable. A number outside its range is',
    'clamped with a warning. An empty value counts as unset. In a checkout `apps/runtime/.env` is read if present; the real environment wins.',
    '',
    '| Variable | Default | Range | What it is |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

/** A text inside a Markdown table. */
export const cell = (text: string) => text.replaceAll('|', '\\|')
