/** Builds the backend's functions for the threads, one of their guards broken if asked to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bundleFunctions } from '@mission-control/backend/bundle'
import type { Guard } from './guards.ts'
import { broken } from './guards.ts'
import { ROOT } from './root.ts'

/** The file is gone once `use` has ended. */
export async function withFunctions<T>(guard: Guard | null, use: (bundle: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-simulate-'))
  try {
    const outFile = path.join(folder, 'functions.mjs')
    const transform = guard && { file: path.join(ROOT, guard.file), of: (source: string) => broken(source, guard) }
    await bundleFunctions({ outFile, ...(transform ? { transform } : {}) })
    return await use(outFile)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
