/** Putting aside what is in our way and not ours, so that nothing is lost. */
import { rename } from 'node:fs/promises'
import { lstatOrNull } from './manifest.ts'

/** Somebody who makes more of these does so on purpose. */
const MOST_KEPT = 1_000

/** Renames to `<path>.kept-<n>`, whatever it is: a link is moved, not followed. @returns the new path */
export async function putAside(path: string): Promise<string> {
  for (let n = 1; n <= MOST_KEPT; n += 1) {
    const aside = `${path}.kept-${n}`
    if ((await lstatOrNull(aside)) !== null) continue
    await rename(path, aside)
    return aside
  }
  throw new Error(`${path} cannot be put aside: there are ${MOST_KEPT} copies already. Remove those that are not needed.`)
}
