/** The messages of the bench: each names its number, so that the gateway can say which one it took. */

export const messageOf = (slug: string, key: string): string => `@${slug} please answer message ${key}.`

/** The keys in a prompt, in order. The last is the message itself: the thread before it names earlier ones. */
export const keysIn = (prompt: string): string[] =>
  [...prompt.matchAll(/answer message ([a-z]+-\d+)\./g)].map(([, key = '']) => key)
