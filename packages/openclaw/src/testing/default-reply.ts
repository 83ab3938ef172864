/**
 * What the scripted model says when a message carries no directive: a plain, sensible answer of a team member, made from what stands
 * in the prompt, the same for the same prompt. The demo runs on it.
 */
const HEARTBEAT = /^# heartbeat\b|^This is your regular check/m
const TASK_TITLE = /\btitle "((?:[^"\\\n]|\\.){1,120})"/

const NEXT_STEPS = [
  'I will start with the smallest piece that can be checked and report when it stands.',
  'First I will collect what we already know, then post a short proposal for you to comment on.',
  'I will split it into two steps, do the first one now and post the result here.',
] as const

export function defaultReply(prompt: string): string {
  if (HEARTBEAT.test(prompt)) return 'HEARTBEAT_OK'
  const title = TASK_TITLE.exec(prompt)?.[1]
  const subject = title === undefined ? 'your message' : `your message about "${title}"`
  return `I have read ${subject}. ${NEXT_STEPS[checksum(prompt) % NEXT_STEPS.length] ?? NEXT_STEPS[0]}`
}

/** A small stable number from a text (FNV-1a, 32 bits): the reply must not change between runs. */
function checksum(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}
