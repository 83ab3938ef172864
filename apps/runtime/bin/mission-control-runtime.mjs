#!/usr/bin/env node
/** The built program when there is one; in a checkout without a build, the sources (Node 24 runs TypeScript). */
import { existsSync } from 'node:fs'

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`mission-control-runtime needs Node 24; this is ${process.version}: start it with a newer Node.\n`)
  process.exit(1)
}
const built = new URL('../dist/cli.js', import.meta.url)
await import((existsSync(built) ? built : new URL('../src/cli.ts', import.meta.url)).href)
