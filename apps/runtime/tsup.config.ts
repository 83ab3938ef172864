import { defineConfig } from 'tsup'

/** One program with the workspace packages inside and npm's outside; commands stay separate files, so that --help loads none. */
export default defineConfig({
  entry: ['src/cli.ts'],
  format: 'esm',
  target: 'node24',
  platform: 'node',
  splitting: true,
  clean: true,
  sourcemap: true,
  noExternal: [/^@mission-control\//],
})
