/** Builds the image and looks at it from outside: how it is configured, how large it is, that no secret got in. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { docker, ROOT, tryDocker } from './docker.ts'
import { countInImage } from './layers.ts'
import type { Story } from './story.ts'

export const IMAGE = 'mission-control-runtime'
const BASE = 'node:24-bookworm-slim'
/** Stands in the built program, so a search that does not find it found nothing else either. */
const CONTROL = 'Delivers notifications to agents, brings replies back'

interface ImageConfig {
  readonly User: string
  readonly Cmd: string[]
  readonly Entrypoint: string[]
  readonly Volumes: Record<string, object>
  readonly Env: string[]
  readonly Labels?: Record<string, string>
}

export async function proveImage(story: Story, build: readonly string[]): Promise<void> {
  const canary = `canary-${randomBytes(12).toString('hex')}`
  const mark = canary.slice(0, 15)
  // Files of the kinds people have lying about, under names nobody uses; what is really there is not touched.
  const files = ['', 'apps/runtime', 'packages/backend'].flatMap((folder) =>
    [`.env.${mark}`, `${mark}.pem`].map((name) => path.join(ROOT, folder, name)),
  )
  try {
    for (const file of files) await writeFile(file, `SECRET=${canary}\n`, { flag: 'wx' })
    await story.step(`docker build ${build.join(' ')}`, async () => {
      const { code } = await tryDocker(['build', ...build], { show: true })
      if (code !== 0) throw new Error(`the build ended with ${code}`)
    })
    // The stage that takes in the whole build context: what is not in there cannot be in any other.
    await docker('build', '--target', 'pruned', ...build.map((arg) => (arg === IMAGE ? `${IMAGE}:pruned` : arg)))
  } finally {
    for (const file of files) await rm(file, { force: true })
  }
  const base = await inspect(BASE)
  if (base?.Labels?.['mission-control.stand-in'] !== undefined) {
    story.note(`${BASE} is a STAND-IN made on this machine: what follows proves the Dockerfile, not the official image.`)
  }
  await story.step('no secret of the working tree in any layer, configuration or history', async () => {
    for (const image of [IMAGE, `${IMAGE}:pruned`]) {
      const found = await countInImage(image, [canary, CONTROL])
      story.equal(`planted secrets in ${image}`, found.get(canary), 0)
      story.equal(`the search works on ${image}`, (found.get(CONTROL) ?? 0) > 0, true)
    }
    story.equal('planted secrets in the history', (await docker('history', '--no-trunc', IMAGE)).includes(canary), false)
  })
  await tryDocker(['image', 'rm', `${IMAGE}:pruned`])
  const config = await inspect(IMAGE)
  story.equal('user', config?.User, '1000:1000')
  story.equal('command', config?.Cmd, ['mission-control-runtime', 'start'])
  story.equal('volumes', Object.keys(config?.Volumes ?? {}), ['/data'])
  for (const line of (await docker('history', '--format', '{{.Size}}\t{{.CreatedBy}}', IMAGE)).split('\n')) {
    const [size = '', by = ''] = line.split('\t')
    if (size !== '0B') story.note(`${size.padStart(7)}  ${by.slice(0, 60)}`)
  }
}

async function inspect(image: string): Promise<ImageConfig | null> {
  const { code, stdout } = await tryDocker(['image', 'inspect', image])
  return code === 0 ? ((JSON.parse(stdout) as { Config: ImageConfig }[])[0]?.Config ?? null) : null
}
