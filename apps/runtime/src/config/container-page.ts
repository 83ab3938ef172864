/** The generated parts of docs/runtime/runtime-docker-compose.md: the compose file as it is, and every variable as the image sees it. */
import { readFileSync } from 'node:fs'
import { cell, defaultOf } from './document.ts'
import type { Variable, VariableName } from './variables.ts'
import { VARIABLES } from './variables.ts'

/** What the image sets; a test compares it with the Dockerfile. */
export const IMAGE_DEFAULTS: Readonly<Partial<Record<VariableName, string>>> = {
  DATA_DIR: '/data',
  HEALTH_HOST: '0.0.0.0',
}

/** What is different about a variable inside a container. */
const INSIDE: Readonly<Partial<Record<VariableName, string>>> = {
  CONVEX_URL: 'Loopback is the container’s own: write `http://host.docker.internal:3210` for a backend on the host.',
  HEALTH_PORT: 'Leave it and publish another port: `-p 4001:3001`.',
  HEALTH_HOST: 'Leave it: loopback cannot be published.',
  STOP_TIMEOUT: 'Keep it below `stop_grace_period`.',
  DATA_DIR: 'Leave it: the volume is there.',
  OPENCLAW_STATE_DIR: 'Leave it: it is on the volume.',
  WORKSPACE_ROOT: 'Leave it: it is on the volume.',
  OPENCLAW_BIN: 'Leave it: the image has OpenClaw on its PATH.',
  OPENCLAW_GATEWAY_PORT: 'Inside the container only; never published.',
  OPENCLAW_GATEWAY_URL: 'See “A gateway elsewhere”.',
  MODEL_BASE_URL: 'A model server on the host is `http://host.docker.internal:8080/v1`.',
}

const all: readonly (Variable & { name: VariableName })[] = VARIABLES

function variableTable(): string {
  const rows = all.map((variable) => {
    const set = IMAGE_DEFAULTS[variable.name]
    const inside = INSIDE[variable.name]
    const about = inside === undefined ? variable.about : `${variable.about} **${inside}**`
    return `| \`${variable.name}\` | ${set === undefined ? cell(defaultOf(variable)) : `${set} (image)`} | ${cell(about)} |`
  })
  return ['| Variable | Default | What it is, and what is different in a container |', '| --- | --- | --- |', ...rows].join('\n')
}

const PAGE = new URL('../../../../docs/runtime/runtime-docker-compose.md', import.meta.url)
const COMPOSE = new URL('../../../../deploy/runtime/compose.yaml', import.meta.url)

/** The page with its generated parts renewed; everything between them is written by hand. */
export function containerPage(): string {
  const compose = ['```yaml', readFileSync(COMPOSE, 'utf8').trimEnd(), '```'].join('\n')
  return renew(renew(readFileSync(PAGE, 'utf8'), 'compose', compose), 'variables', variableTable())
}

/** @throws Error when the page has lost the marks of the part */
export function renew(page: string, part: string, content: string): string {
  const [begin, end] = [`<!-- generated: ${part} -->`, `<!-- end: ${part} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`The page has no "${begin}" before "${end}".`)
  return `${page.slice(0, from + begin.length)}\n${content}\n${page.slice(to)}`
}
