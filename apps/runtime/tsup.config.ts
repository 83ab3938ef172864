import { defineConfig } from 'tsup'

/**
 * One program. What stands under `dependencies` of package.json stays outside and is installed with it; the rest is inside: the
 * workspace packages, and Convex's client, whose package brings 60 MB of tools for developers. Commands stay separate files, so that
 * --help loads none.
 */
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
})
