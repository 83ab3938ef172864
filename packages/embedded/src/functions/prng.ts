/** A small seeded generator (sfc32) for `Math.random()` inside executions. Not for secrets: neither is Convex's own. */
export function createPrng(seed: Uint8Array): () => number {
  const words = new DataView(seed.buffer, seed.byteOffset, seed.byteLength)
  let a = words.getUint32(0)
  let b = words.getUint32(4)
  let c = words.getUint32(8)
  let counter = 1
  const next = () => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    return (t >>> 0) / 2 ** 32
  }
  for (let warmUp = 0; warmUp < 12; warmUp++) next()
  return next
}
export const PRNG_SEED_BYTES = 12
