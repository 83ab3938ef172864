/**
 * The only place that reads time or randomness. On Convex both are frozen or seeded inside a mutation; the embedded bundle maps
 * them to the running execution's. Queries must not call either: a result that depends on the clock never re-fires.
 */

/** Milliseconds since the epoch; constant within one mutation. */
export const now = (): number => Date.now()

/** A number in [0, 1). Seeded in mutations, so never a source of secrets. */
export const random = (): number => Math.random()
