/** The package's front door: the in-process backend and the loader of built functions. */
export {
  createEmbeddedConvex,
  type Callable,
  type EmbeddedConvex,
  type EmbeddedOptions,
  type Functions,
  type Identity,
  type Log,
} from './embedded.ts'
export { loadFunctions } from './load.ts'
export { conflicts, type Trace } from './trace.ts'
export { bundleDefines } from './functions/global.ts'
export type { Listening, ListenOptions } from './http/bind.ts'
