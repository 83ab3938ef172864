/** Writes the generated files. Run by `yarn workspace @mission-control/runtime run generate`; a test fails when they have drifted. */
import { writeFileSync } from 'node:fs'
import { docsPage, envExample } from './document.ts'

export const GENERATED = [
  { file: new URL('../../.env.example', import.meta.url), content: envExample },
  { file: new URL('../../../../docs/runtime-environment.md', import.meta.url), content: docsPage },
] as const

if (import.meta.main) for (const { file, content } of GENERATED) writeFileSync(file, content())
