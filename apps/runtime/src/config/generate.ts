/** Writes the generated files. Run by `yarn workspace @mission-control/runtime run generate`; a test fails when they have drifted. */
import { writeFileSync } from 'node:fs'
import { containerPage } from './container-page.ts'
import { docsPage, envExample } from './document.ts'

export const GENERATED = [
  { file: new URL('../../.env.example', import.meta.url), content: envExample },
  { file: new URL('../../../../docs/runtime-environment.md', import.meta.url), content: docsPage },
  { file: new URL('../../../../docs/runtime/runtime-docker-compose.md', import.meta.url), content: containerPage },
] as const

if (import.meta.main) for (const { file, content } of GENERATED) writeFileSync(file, content())
