/** The compose file agrees with the runtime's own numbers and with its page. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { VARIABLES } from '../../src/config/variables.ts'
import { renew } from '../../src/config/container-page.ts'

const read = (file: string) => readFileSync(new URL(`../../../../${file}`, import.meta.url), 'utf8')
const text = read('deploy/runtime/compose.yaml')
const { services } = parse(text) as { services: { runtime: Record<string, unknown> & { ports: string[]; volumes: string[] } } }
const { runtime } = services
const defaultOf = (name: string) => VARIABLES.find((one) => one.name === name) as { default: string }

it('gives a stop more time than the runtime takes', () => {
  const [, seconds] = /^(\d+)s$/.exec(String(runtime['stop_grace_period'])) ?? []
  expect(Number(seconds) * 1000).toBeGreaterThan(Number(defaultOf('STOP_TIMEOUT').default))
})

it('publishes the health pages to this machine and nothing else', () => {
  expect(runtime.ports).toHaveLength(1)
  expect(runtime.ports[0]).toMatch(new RegExp(`^127\\.0\\.0\\.1:.*:${defaultOf('HEALTH_PORT').default}$`))
})

it('keeps the data folder on a volume, restricts the rest and holds no secret', () => {
  expect(runtime.volumes).toEqual(['data:/data'])
  expect(runtime).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
  expect(runtime).toHaveProperty('env_file')
  expect(runtime).not.toHaveProperty('environment')
})

it('has every line and every variable of it explained', () => {
  const page = read('docs/runtime/runtime-docker-compose.md')
  for (const [, name] of text.matchAll(/\$\{(\w+)/g)) expect(page).toContain(`\`${name}\``)
  const explained = page.slice(page.indexOf('| Line | Why |'), page.indexOf('Not in the file'))
  const plain = ['image', 'build']
  for (const key of Object.keys(runtime).filter((one) => !plain.includes(one))) expect(explained).toContain(`\`${key}\``)
})

it('is not spliced into a page that lost its marks', () => {
  expect(renew('a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb', 'x', 'new')).toBe(
    'a\n<!-- generated: x -->\nnew\n<!-- end: x -->\nb',
  )
  expect(() => renew('<!-- end: x --> <!-- generated: x -->', 'x', 'new')).toThrow('has no')
  expect(() => renew('text', 'x', 'new')).toThrow('has no')
})
