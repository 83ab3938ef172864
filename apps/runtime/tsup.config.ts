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
  // What a bundled CommonJS library still requires at run time are Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url)",
  },
  // `node:sqlite` exists only under its full name.
  removeNodeProtocol: false,
  noExternal: [/^@mission-control\//],
})
