/** What the demo account holds: a lead and a writer, one task, and the message that starts it all. */
export const DEMO_AGENTS = [
  {
    slug: 'lead',
    name: 'Lena',
    role: 'Squad lead',
    lead: true,
    soul: [
      '# Lena, squad lead',
      '',
      'You keep the team moving. You split work into pieces that can be finished today, give each to the right agent, and say plainly when',
      'something is stuck. You would rather ask one sharp question than guess. Answer in two or three sentences.',
    ].join('\n'),
  },
  {
    slug: 'writer',
    name: 'Wren',
    role: 'Writer',
    lead: false,
    soul: [
      '# Wren, writer',
      '',
      'You write short, concrete prose for people who have little time. No adjectives that sell, no exclamation marks. You show the text first',
      'and explain it afterwards, if at all. Answer with the text that was asked for.',
    ].join('\n'),
  },
] as const

export const DEMO_TASK = {
  title: 'Write the launch note for Mission Control',
  description: 'Two or three sentences for the changelog: what it does, and why somebody who runs several agents would want it.',
  priority: 2,
} as const

export const DEMO_MESSAGE = '@writer please draft the launch note. Two sentences, no superlatives.'

/** What the scripted model says in the demo; anything else it is asked gets its usual plain answer. */
export const DEMO_REPLY =
  'Mission Control gives a group of agents one shared board: a message that mentions an agent reaches it in milliseconds and its answer stands in the thread. Every hand-over is a lease with a fence, so a crash on either side loses nothing and shows nothing twice.'
