/**
 * The tasks of the demo account, oldest first, and what was said and done about each. `me` is whoever seeds the account; in texts,
 * `{me}` mentions that person and `{backend}` that agent.
 */
import type { TaskStatus } from '@mission-control/shared/enums'

/** Somebody says something, or moves the task. */
export type SeedStep =
  readonly [by: string, says: string] | { readonly by: string; readonly to: TaskStatus; readonly reason?: string }

export interface SeedTask {
  /** What documents name it by. */
  readonly key: string
  readonly title: string
  readonly description: string
  /** 1 to 5; 3 if left out. */
  readonly priority?: number
  readonly labels?: readonly string[]
  /** Days from the day of seeding; may be past. */
  readonly dueInDays?: number
  readonly by: string
  readonly assignees?: readonly string[]
  readonly steps?: readonly SeedStep[]
}

export const SEED_TASKS: readonly SeedTask[] = [
  {
    key: 'dark',
    title: 'Dark mode for the harbour map',
    description: 'Skippers plan at night. Try it on the map only, where the light hurts most.',
    priority: 5,
    labels: ['map', 'idea'],
    by: 'designer',
    steps: [
      [
        'designer',
        'I drew it: water and land swap their weight and the free berths stop being the brightest thing. It needs a second set of map tiles, about two weeks.',
      ],
      ['me', 'Then not before the season. Nobody has asked for it twice.'],
      { by: 'lead', to: 'archived' },
    ],
  },
  {
    key: 'import',
    title: 'Import berths from a spreadsheet',
    description:
      'New marinas send us a table. Read length, width, depth and power per berth; name every line that cannot be read.',
    labels: ['onboarding'],
    by: 'lead',
    assignees: ['backend'],
    steps: [
      { by: 'backend', to: 'in_progress' },
      [
        'backend',
        'Reads all eleven tables we have. Lines that make no sense are listed with their number and the reason; nothing is imported until there are none.',
      ],
      { by: 'backend', to: 'review' },
      ['qa', 'Tried with decimal commas, a merged header and 400 empty lines. Fine.'],
      { by: 'qa', to: 'done' },
      { by: 'lead', to: 'archived' },
    ],
  },
  {
    key: 'double',
    title: 'Two guests can book the same berth in the same second',
    description:
      'Happened on 14 August in Norderhafen: berth 7, two confirmations, one boat too many. Find out how, and make it impossible.',
    priority: 1,
    labels: ['booking', 'bug'],
    by: 'me',
    assignees: ['backend'],
    steps: [
      ['me', '{backend} this must not happen a second time. I would like to be able to tell the harbour master why it cannot.'],
      { by: 'backend', to: 'in_progress' },
      [
        'backend',
        'Reproduced: two requests, 40 ms apart, both read "free" before either wrote. 9 of 200 runs. Holding the berth and confirming are two steps with nothing between them that says no.',
      ],
      [
        'backend',
        'The night of a berth is one row now and only one booking can own it; the second request gets "just taken" and three free neighbours. 0 of 20,000 runs. What happened is written up in "Double bookings: what happened".',
      ],
      { by: 'backend', to: 'review' },
      [
        'qa',
        'Ran the 20,000 myself, then with the second guest offline in the middle, then across midnight. One booking each time. The message with the three neighbours is good; the list was empty in a full harbour, now it says so.',
      ],
      { by: 'qa', to: 'done' },
      ['me', 'I rang Norderhafen and read them the second paragraph. They laughed, which is new. Thank you.'],
    ],
  },
  {
    key: 'terms',
    title: 'Say the cancellation terms in plain words',
    description: 'Half of all support mails ask whether the money comes back. The answer is in the terms, in paragraph nine.',
    priority: 2,
    labels: ['text', 'support'],
    by: 'lead',
    assignees: ['writer'],
    steps: [
      { by: 'writer', to: 'in_progress' },
      [
        'writer',
        'First version is in the documents. I need one fact from {backend}: until when exactly does a cancellation cost nothing, and in whose time zone?',
      ],
      ['backend', 'Until 12:00 of the day of arrival, in the time of the marina. 12:00:00 itself still counts as free.'],
      ['writer', '"Cancel before noon on the day you arrive and you pay nothing" then. Four sentences instead of eleven.'],
      { by: 'writer', to: 'review' },
      ['qa', "Gave it to three people who do not sail. All three could say what they would get back at 11 and at 13 o'clock."],
      { by: 'qa', to: 'done' },
    ],
  },
  {
    key: 'mail',
    title: "Send confirmations from the marina's own address",
    description: 'Guests do not know Slipway and delete the mail. It should come from the harbour they are sailing to.',
    priority: 2,
    labels: ['email'],
    dueInDays: 9,
    by: 'lead',
    assignees: ['backend'],
    steps: [
      { by: 'backend', to: 'in_progress' },
      [
        'backend',
        'Works for the two marinas that host their domain with us. The other nine need two DNS records each; without them half of the mails end as spam.',
      ],
      [
        'lead',
        'I have written to all nine with the exact lines to paste. Two have done it, seven have not answered. {me} you know the people: would you ring the harbour office in Norderhafen? They host for five of the seven.',
      ],
      {
        by: 'backend',
        to: 'blocked',
        reason:
          'Seven marinas have not set their DNS records (SPF and DKIM). The harbour office in Norderhafen can do five of them.',
      },
      ['me', 'I will reach them on Thursday, when their technician is in.'],
    ],
  },
  {
    key: 'price',
    title: 'Show the whole price before the guest confirms',
    description:
      'Berth, harbour dues and power in one sum on the last screen, with the parts below it. No number may appear after the tap that was not there before.',
    priority: 2,
    labels: ['booking', 'ui'],
    dueInDays: 2,
    by: 'lead',
    assignees: ['frontend', 'designer'],
    steps: [
      { by: 'frontend', to: 'in_progress' },
      [
        'designer',
        'The sum stands where the thumb is, 22 px, the three parts above it in the order one meets them: berth, dues, power. "Confirm" repeats the sum: "Book for 32 euros".',
      ],
      [
        'frontend',
        'Built. The sum is computed once, on the server, and the button shows that number and no other. To try: any berth, two nights, power on.',
      ],
      { by: 'frontend', to: 'review' },
      [
        'qa',
        'Must be fixed: two nights at 16.25 with dues of 1.15 shows 34.79, the receipt says 34.80. Would have done differently, your choice: the parts could stay visible while the keyboard is open.',
      ],
      [
        'frontend',
        'The dues were rounded per night. They are rounded once now, as on the receipt; there is a test with your numbers and the 400 combinations around them. The parts stay visible too, you are right.',
      ],
      ['qa', 'Looking at it this afternoon, on the phone with the cracked screen.'],
    ],
  },
  {
    key: 'deposit',
    title: 'Guests can pay a deposit when they book',
    description:
      'Ten euros per night at booking, the rest in the harbour. Three marinas wait for it, because every fourth booking does not arrive.',
    priority: 1,
    labels: ['payments', 'booking'],
    dueInDays: 5,
    by: 'me',
    assignees: ['backend', 'frontend'],
    steps: [
      [
        'me',
        '{lead} Norderhafen, Westkai and Lille Havn would start with the season. What do we have to decide before anybody builds?',
      ],
      [
        'lead',
        'Two things. Who keeps the deposit of a guest who does not come: the marina, I would say. And until when it is given back: I would take noon of the day of arrival, as in the cancellation terms, so that guests learn one rule. The second is a task of yours, due tomorrow.',
      ],
      { by: 'backend', to: 'in_progress' },
      [
        'backend',
        'What must never happen: paid twice, paid without a booking, booked without knowing whether it was paid. The booking is made first and holds the berth for ten minutes; the payment confirms it; both sides can ask again and get the same answer. Version 2 of "Deposits: how they work" has the three cases in a table.',
      ],
      [
        'frontend',
        'The payment sheet is in. If the connection goes after the tap, the page asks what became of it instead of offering to pay again. To try: tap "Pay", switch to flight mode, switch back.',
      ],
      ['designer', 'The ten minutes need words, not a clock that runs. "We keep berth 14 for you until 18:40" is enough.'],
      ['frontend', 'Changed. {backend} when the hold is over and the guest pays in that second, who wins?'],
      [
        'backend',
        'The payment, if the berth is still free; otherwise the money goes back at once and the guest is told which berths are. That is the fourth case, I am adding it to the table and to the tests.',
      ],
    ],
  },
  {
    key: 'keyboard',
    title: 'The booking form with a keyboard and a screen reader',
    description: 'The date picker is a trap: one gets in and not out. Everything else is probably small.',
    priority: 3,
    labels: ['accessibility', 'ui'],
    dueInDays: 12,
    by: 'qa',
    assignees: ['frontend'],
    steps: [
      [
        'qa',
        'Eleven findings, three of them must be fixed: the trap in the date picker, the free berths that are only green, and the error that appears above the fold while the focus stays below.',
      ],
      { by: 'frontend', to: 'in_progress' },
      [
        'frontend',
        'The picker is two plain date fields now, with the calendar as a help beside them. Free berths say "free". The error moves the focus tomorrow.',
      ],
    ],
  },
  {
    key: 'notes',
    title: 'Release notes for 1.4',
    description: 'For harbour masters, one page: what is different on Monday morning, and what they have to do. Nothing else.',
    labels: ['text', 'release'],
    dueInDays: 6,
    by: 'lead',
    assignees: ['writer'],
    steps: [
      { by: 'writer', to: 'in_progress' },
      [
        'writer',
        'The draft is in the documents. The part on deposits has a gap until the refund window is decided; everything else is final.',
      ],
      { by: 'writer', to: 'review' },
      [
        'qa',
        'Checked each sentence against the product. "Guests see the whole price" is only true once the price task is through; I keep this one open until it is.',
      ],
    ],
  },
  {
    key: 'window',
    title: 'Decide until when a deposit is given back',
    description:
      'Two options. Noon of the day of arrival, as in the cancellation terms: one rule for guests. Or 24 hours before: safer for the marinas, but a second rule. Mara recommends noon.',
    priority: 1,
    labels: ['payments', 'decision'],
    dueInDays: 1,
    by: 'lead',
    assignees: ['me'],
    steps: [['lead', '{me} this is the one decision that the deposits and the release notes wait for.']],
  },
  {
    key: 'load',
    title: 'Rehearse the opening day of the season',
    description:
      'Last year 1,900 guests came within the first hour. Play that hour against a copy, at three times the speed, and write down what bends first.',
    priority: 2,
    labels: ['operations'],
    dueInDays: 16,
    by: 'lead',
    assignees: ['qa', 'backend'],
    steps: [
      [
        'backend',
        'I have the requests of that hour, without names. {qa} shall we agree on what counts as bent: a page slower than two seconds, or any booking that fails?',
      ],
    ],
  },
  {
    key: 'winter',
    title: 'What the harbour map shows in winter',
    description:
      'From November to March every berth is grey and the page looks broken. It should say when the season begins, and take an address for a reminder.',
    priority: 4,
    labels: ['map', 'ui'],
    by: 'frontend',
    assignees: ['designer'],
  },
  {
    key: 'receipt',
    title: 'Guests ask for receipts in their own language',
    description:
      'Fourteen mails since June, most of them in French and Danish. The amounts are understood; "harbour dues" is not.',
    priority: 3,
    labels: ['feedback', 'text'],
    by: 'me',
    steps: [
      [
        'writer',
        'It is eleven words per language. I can have French, Danish, Dutch and Polish checked by people who sail there.',
      ],
    ],
  },
  {
    key: 'season',
    title: 'Season passes: what would it take?',
    description: 'Westkai sells 60 of them on paper. Find out what they promise exactly before anybody thinks about screens.',
    priority: 4,
    labels: ['idea', 'booking'],
    by: 'lead',
  },
]
