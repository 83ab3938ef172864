/**
 * What the scripted model says when a message carries no directive: a plain, sensible answer of a team member, made from the
 * names found in the prompt, the same for the same prompt. The demo runs on it.
 */
const FIELD = (names: string) => new RegExp(`(?:^|[\\n{,])\\s*["*]*(?:${names})["*]*\\s*[:=]\\s*"?([^"\\n,}]{1,120})`, 'i')
const ASKER = FIELD('from|author|asked by|requested by|sender|by|authorName')
const TITLE = FIELD('task title|task|title|subject')
const QUOTED_TASK = /\btask\s+["“«]([^"”»\n]{1,120})["”»]/i

const OPENINGS = ['I have read', 'I went through', 'I looked into'] as const
const NEXT_STEPS = [
  'I will start with the smallest piece that can be checked and report when it stands.',
  'First I will collect what we already know, then write a short proposal for the rest of you to comment on.',
  'I will split it into two steps, do the first one now and post the result here.',
] as const

export function defaultReply(prompt: string): string {
  const asker = ASKER.exec(prompt)?.[1]?.trim()
  const title = (QUOTED_TASK.exec(prompt) ?? TITLE.exec(prompt))?.[1]?.trim()
  if (title === undefined && /HEARTBEAT_OK/.test(prompt)) return 'HEARTBEAT_OK'
  const pick = checksum(prompt)
  const opening = OPENINGS[pick % OPENINGS.length] ?? OPENINGS[0]
  const next = NEXT_STEPS[pick % NEXT_STEPS.length] ?? NEXT_STEPS[0]
  const greeting = asker === undefined ? '' : `@${asker.replace(/^@/, '')} `
  const subject = title === undefined ? 'your message' : `"${title}"`
  return `${greeting}${opening} ${subject}. ${next}`
}

/** A small stable number from a text (FNV-1a, 32 bits): the reply must not change between runs. */
function checksum(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}
