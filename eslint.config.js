import tseslint from 'typescript-eslint'

/** Time, timers and randomness are dependencies (docs/decisions): these files are the only ones that may touch the globals. */
const CLOCK_FILES = [
  'packages/host/src/clock.ts',
  'packages/backend/convex/lib/clock.ts',
  'apps/proof/src/stage/scaled-time.ts', // it is the globals that run faster there
]

const clockGlobals = ['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
  name,
  message: 'Take a Clock (packages/shared/src/clock.ts) as a dependency instead.',
}))
const clockProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['performance', 'now'],
  ['AbortSignal', 'timeout'],
].map(([object, property]) => ({ object, property, message: 'Take a Clock or Random as a dependency instead.' }))
const clockSyntax = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Take a Clock as a dependency instead.' },
  {
    selector: 'ImportDeclaration[source.value=/^node:timers/]',
    message: 'Take a Clock as a dependency instead.',
  },
]
const moduleState = [
  {
    selector: 'Program > VariableDeclaration[kind="let"], Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
    message: 'No module-level mutable state: put it behind a createX(deps) handle.',
  },
  {
    selector:
      'Program > VariableDeclaration > VariableDeclarator:not([id.typeAnnotation]) > NewExpression[callee.name=/^(Map|Set|WeakMap)$/]',
    message: 'A module-level collection must be typed ReadonlyMap or ReadonlySet, or live behind a createX(deps) handle.',
  },
]
/** Dependencies point down only: apps -> packages; see docs/architecture.md. The import graph test checks the same from the outside. */
const arrows = (patterns) => [
  'error',
  { patterns: patterns.map((group) => ({ group: [group], message: 'This import points the wrong way.' })) },
]

export default tseslint.config(
  { ignores: ['**/_generated/**', '**/dist/**', '**/node_modules/**', '.yarn/**', '.tools/**', '.data/**', '.turbo/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        // Two programs for all packages, the ones that `yarn typecheck` checks: one for each package costs three times as much.
        project: ['./tsconfig.json', './packages/backend/convex/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'no-restricted-globals': ['error', ...clockGlobals],
      'no-restricted-properties': ['error', ...clockProperties],
      'no-restricted-syntax': ['error', ...clockSyntax, ...moduleState],
    },
  },
  {
    files: CLOCK_FILES,
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...moduleState],
    },
  },
  { files: ['packages/shared/**/*.ts'], rules: { 'no-restricted-imports': arrows(['@mission-control/*', 'node:*']) } },
  { files: ['packages/shared/**/*.test.ts'], rules: { 'no-restricted-imports': 'off' } },
  {
    files: ['packages/host/**/*.ts'],
    rules: { 'no-restricted-imports': arrows(['@mission-control/!(shared)', '@mission-control/!(shared)/**']) },
  },
  {
    files: ['packages/backend/convex/**/*.ts'],
    rules: { 'no-restricted-imports': arrows(['@mission-control/!(shared)/**', 'node:*']) },
  },
  {
    files: ['packages/embedded/src/**/*.ts'],
    rules: {
      'no-restricted-imports': arrows([
        '@mission-control/backend/**',
        '@mission-control/openclaw/**',
        '@mission-control/runtime/**',
        '@mission-control/local/**',
      ]),
    },
  },
  {
    files: ['packages/openclaw/src/**/*.ts'],
    rules: {
      'no-restricted-imports': arrows([
        '@mission-control/backend/**',
        '@mission-control/embedded/**',
        '@mission-control/runtime/**',
        '@mission-control/local/**',
      ]),
    },
  },
  {
    files: ['apps/runtime/src/**/*.ts'],
    rules: {
      'no-restricted-imports': arrows(['@mission-control/embedded', '@mission-control/embedded/**', '@mission-control/local/**']),
    },
  },
  {
    files: ['**/*.test.ts', '**/test/**/*.ts', '**/testing/**/*.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
)
