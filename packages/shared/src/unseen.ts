/**
 * Characters that a person does not see, or that do something instead of standing somewhere. Agents must not read what people cannot,
 * and a terminal must not act on what somebody wrote. Pure.
 */

/**
 * Control and format characters, tag characters and the selectors that can carry a hidden text. Not among them: tab and line feed, the
 * joiners that scripts and emoji need, and the few format characters that are visible.
 */
const UNSEEN =
  /(?![\t\n\u200C\u200D\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{E0100}-\u{E01EF}]/gu

/** The text without them; halves of characters become U+FFFD. */
export const withoutUnseen = (text: string): string => text.toWellFormed().replace(UNSEEN, '')

/**
 * The text as it may be written to a terminal: escape sequences, direction marks and the like stand there as `\u001b`, so that nobody's
 * message moves the cursor, sets a title or shows other words than it says. Inside a JSON text this is an escape of the same character,
 * so that the JSON still says what it said.
 */
export const forTerminal = (text: string): string =>
  text
    .replace(/\r\n/g, '\n')
    .toWellFormed()
    .replace(UNSEEN, (char) =>
      Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
    )

/** The same on one line: for what stands in a line of ours, which a line break of somebody else's must not end. */
export const lineForTerminal = (text: string): string => forTerminal(text.replace(/\s*[\n\r\v\f\u0085\u2028\u2029]\s*/g, ' '))
