#!/usr/bin/env -S node --
/**
 * In a checkout the sources (Node 24 runs TypeScript), so that a forgotten build never runs old code; else the built program.
 *
 * The `--` of the first line keeps `--env-file` ours: Node looks for its own option of that name in all arguments up to there, and
 * ends with its own words and code 9 when the file is missing.
 */
import { existsSync } from 'node:fs'

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`mission-control-runtime needs Node 24; this is ${process.version}: start it with a newer Node.\n`)
  process.exit(3)
}
const sources = new URL('../src/cli.ts', import.meta.url)
await import((existsSync(sources) ? sources : new URL('../dist/cli.js', import.meta.url)).href)
