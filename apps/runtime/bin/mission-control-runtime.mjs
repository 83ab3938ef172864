#!/usr/bin/env node
/** In a checkout the sources (Node 24 runs TypeScript), so that a forgotten build never runs old code; else the built program. */
import { existsSync } from 'node:fs'

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`mission-control-runtime needs Node 24; this is ${process.version}: start it with a newer Node.\n`)
  process.exit(1)
}
const sources = new URL('../src/cli.ts', import.meta.url)
await import((existsSync(sources) ? sources : new URL('../dist/cli.js', import.meta.url)).href)
