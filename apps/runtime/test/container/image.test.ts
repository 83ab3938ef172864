/** The Dockerfile, what it may take in, and what it installs; without Docker. test/proof/container.ts builds and runs it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import dockerignore from '@balena/dockerignore'
import { describe, expect, it } from 'vitest'
import { OPENCLAW_VERSION } from '@mission-control/openclaw/version'
import { IMAGE_DEFAULTS } from '../../src/config/container-page.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { argOf, copiedPaths, environmentOf, problemsIn } from './dockerfile-rules.ts'

const root = path.resolve(import.meta.dirname, '../../../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const json = (file: string) => JSON.parse(read(file)) as Record<string, never>
const dockerfile = read('apps/runtime/Dockerfile')

describe('the Dockerfile', () => {
  it('keeps our rules', () => {
    expect(problemsIn(dockerfile)).toEqual([])
  })

  it.each([
    ['FROM node has no fixed tag', 'node:24-bookworm-slim', 'node'],
    ['FROM node:latest has no fixed tag', 'node:24-bookworm-slim', 'node:latest'],
    ['no USER in the last stage: it runs as root', 'USER 1000:1000', ''],
    ['USER root is not a number other than 0', 'USER 1000:1000', 'USER root'],
    ['USER 0 is not a number other than 0', 'USER 1000:1000', 'USER 0'],
    ['no HEALTHCHECK in the last stage', /HEALTHCHECK .*/, ''],
    [
      'HEALTHCHECK is not the exec form of something in the image',
      /HEALTHCHECK .*/,
      'HEALTHCHECK CMD curl -f localhost:3001/livez',
    ],
    ['CMD is not in exec form: signals would end at a shell', /^CMD \[.*/m, 'CMD mission-control-runtime start'],
    ['ENTRYPOINT is not in exec form: signals would end at a shell', /ENTRYPOINT .*/, 'ENTRYPOINT tini --'],
    ['ADD fetches and unpacks: use COPY', 'COPY . .', 'ADD https://example.org/x.tgz .'],
    ['ARG NPM_TOKEN puts a secret into a layer', 'COPY . .', 'ARG NPM_TOKEN\nCOPY . .'],
    ['ENV SERVICE_TOKEN puts a secret into a layer', 'USER 1000:1000', 'ENV SERVICE_TOKEN=x\nUSER 1000:1000'],
    ['a parser directive makes the build pull an image of its own', /^/, '# syntax=docker/dockerfile:1\n'],
    ['USER stands before a RUN', 'WORKDIR /data', 'RUN true\nWORKDIR /data'],
  ])('would be told: %s', (problem, from, to) => {
    const broken = dockerfile.replace(from, to)
    expect(broken).not.toBe(dockerfile)
    expect(problemsIn(broken)).toContain(problem)
  })

  it('installs the OpenClaw we are written against, with everything below it locked', () => {
    expect(argOf(dockerfile, 'OPENCLAW_VERSION')).toBe(OPENCLAW_VERSION)
    expect(json('packages/openclaw/locked/package.json')).toMatchObject({ dependencies: { openclaw: OPENCLAW_VERSION } })
    const { packages } = json('packages/openclaw/locked/package-lock.json') as unknown as {
      packages: Record<string, { version: string; integrity?: string; resolved?: string; inBundle?: boolean }>
    }
    expect(packages['node_modules/openclaw']?.version).toBe(OPENCLAW_VERSION)
    const entries = Object.entries(packages).filter(([name]) => name !== '')
    expect(entries.length).toBeGreaterThan(100)
    expect(entries.filter(([, entry]) => entry.integrity === undefined && !entry.inBundle).map(([name]) => name)).toEqual([])
    // No host: whoever uses another registry gets the same bytes, or an error.
    expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([])
  })

  it('runs on the Node of this repository', () => {
    const major = read('.nvmrc').trim().replace('v', '').split('.')[0]
    expect(argOf(dockerfile, 'NODE_IMAGE')).toBe(`node:${major}-bookworm-slim`)
  })

  it('sets the variables that the docs say it sets, and no other of ours', () => {
    const env = environmentOf(dockerfile)
    const ours = Object.fromEntries(Object.entries(env).filter(([name]) => VARIABLES.some((one) => one.name === name)))
    expect(ours).toEqual(IMAGE_DEFAULTS)
    expect(env['NODE_ENV']).toBe('production')
    expect(dockerfile).toContain(`VOLUME ["${env['DATA_DIR']}"]`)
    const port = VARIABLES.find((one) => one.name === 'HEALTH_PORT')
    expect(dockerfile).toContain(`EXPOSE ${port?.default}\n`)
  })
})

describe('the build context', () => {
  const context = dockerignore.default({ ignorecase: false }).add(read('.dockerignore'))

  it.each([
    ...[
      '.env',
      '.env.local',
      '.env.production',
      '.npmrc',
      '.git/config',
      '.tools/x',
      '.data/up/account.json',
      'id.pem',
      'notes.txt',
    ],
    ...[
      'apps/runtime/.env',
      'apps/runtime/.env.local',
      'packages/backend/.env.local',
      'apps/runtime/.npmrc',
      'apps/local/tls.key',
    ],
    ...['apps/local/.data/convex.sqlite', 'packages/embedded/x/cert.pem'],
    ...['node_modules/zod/index.js', 'apps/runtime/node_modules/x.js', 'apps/runtime/dist/cli.js', '.yarn/cache/x.zip'],
  ])('leaves out %s', (file) => {
    expect(context.ignores(file)).toBe(true)
  })

  it.each([
    ...[
      'package.json',
      'yarn.lock',
      '.yarn/releases/yarn-4.18.1.cjs',
      '.yarn/engines.cjs',
      'apps/runtime/src/cli.ts',
      'apps/runtime/tsup.config.ts',
    ],
    ...['packages/backend/convex/_generated/api.js', ...copiedPaths(dockerfile).filter((file) => !/^\.(yarn)?$/.test(file))],
  ])('takes in %s', (file) => {
    expect(context.ignores(file)).toBe(false)
  })
})
