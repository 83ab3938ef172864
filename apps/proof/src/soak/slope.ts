/** Least squares over samples, and what a slope has to stay below. Pure. */

export interface Sample {
  /** Seconds since the start of the run. */
  readonly at: number
  readonly value: number
}

/** Units a second; 0 for fewer than two samples. */
export function slopeOf(samples: readonly Sample[]): number {
  const n = samples.length
  const meanAt = samples.reduce((sum, { at }) => sum + at, 0) / n
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / n
  const spread = samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0)
  if (n < 2 || spread === 0) return 0
  return samples.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0) / spread
}

/** How much the fitted line rises over the time that the samples cover. */
export function riseOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)]
  return first === undefined || last === undefined ? 0 : slopeOf(samples) * (last.at - first.at)
}
