#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

// Half of a start is stripping types and compiling. Beside the code, because whoever may write there may change the code anyway;
// where nobody may, the start just takes longer. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE have the last word.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)))
const { main } = await import('../src/cli.ts')

// The young generation stays as large as loading made it (8 MiB): under load it would grow by 100 MiB of resident memory, and calls
// cost no less. V8 fixes its largest size before this file runs, but looks up whether to grow each time.
setFlagsFromString('--semi-space-growth-factor=1')
// Everything is written. What functions left running (an action, its timers) must not keep the process.
process.exit(await main(process.argv))
