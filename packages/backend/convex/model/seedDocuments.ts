/** The documents of the demo account. More than one content: the versions, oldest first. */
import type { DocumentType } from '@mission-control/shared/enums'

export interface SeedDocument {
  readonly title: string
  readonly type: DocumentType
  readonly by: string
  /** Key of the task it is linked to. */
  readonly task?: string
  readonly versions: readonly string[]
}

export interface SeedFolder {
  readonly title: string
  readonly by: string
  readonly folders?: readonly SeedFolder[]
  readonly documents: readonly SeedDocument[]
}

const DOUBLE_CAUSE = `# Double bookings: what happened

On 14 August at 16:02 two guests booked berth 7 in Norderhafen for the same night. Both got a confirmation. The second boat lay across the
fuel dock until morning.

## Why

Booking had two steps: look whether the berth is free, then write the booking. Both guests looked before either wrote. It takes two requests
within about 40 ms, and on a sunny Saturday there are many of those.`

const DEPOSIT_START = `# Deposits: how they work

A guest pays ten euros per night when booking and the rest in the harbour.

1. The booking is made first and holds the berth for ten minutes.
2. The payment confirms the booking.
3. Without a payment the berth is free again after ten minutes.

Who does not arrive loses the deposit to the marina.`

export const SEED_FOLDERS: readonly SeedFolder[] = [
  {
    title: 'Product',
    by: 'lead',
    documents: [
      {
        title: 'How we decide',
        type: 'reference',
        by: 'lead',
        versions: [
          `# How we decide

- Whoever does the work decides how. Whoever pays for it decides whether.
- What costs money, or is said to guests, goes to the people with two options and a recommendation.
- A decision is a task with one person on it and a date. It is written down where the work is, in one sentence.
- We may change our minds. Then the old sentence stays, with a line that says when and why.`,
        ],
      },
      {
        title: 'Deposits: how they work',
        type: 'deliverable',
        by: 'backend',
        task: 'deposit',
        versions: [
          DEPOSIT_START,
          `${DEPOSIT_START}

## When the connection goes

| The guest's tap | What we know | What happens |
|---|---|---|
| never arrived | nothing | the page asks, hears "not paid", offers to pay |
| arrived, the answer was lost | paid | the page asks, hears "paid", shows the booking |
| arrived twice | one payment | the second gets the answer of the first |

Open: until when a deposit is given back. See the decision on the board.`,
        ],
      },
    ],
  },
  {
    title: 'Engineering',
    by: 'backend',
    documents: [
      {
        title: 'Double bookings: what happened',
        type: 'note',
        by: 'backend',
        task: 'double',
        versions: [
          DOUBLE_CAUSE,
          `${DOUBLE_CAUSE}

## Why it cannot happen again

A night of a berth is one row, and a row has one owner. Whoever comes second is told "just taken" and shown the three nearest free berths.
20,000 pairs of requests at the same moment gave 20,000 single bookings.

## What we look for now

Every place where we first ask and then write. There were two more, both in the waiting list; both are gone.`,
        ],
      },
    ],
    folders: [
      {
        title: 'Checklists',
        by: 'qa',
        documents: [
          {
            title: 'Before a release',
            type: 'template',
            by: 'qa',
            versions: [
              `# Before a release

- [ ] Every task in it was tried by somebody who did not build it
- [ ] One booking from start to receipt, on a phone, without Wi-Fi
- [ ] The way back has been walked once: the old version runs with the new data
- [ ] Harbour masters were told, if a button moved
- [ ] Somebody is awake for two hours after it`,
            ],
          },
        ],
      },
    ],
  },
  {
    title: 'Texts for guests',
    by: 'writer',
    documents: [
      {
        title: 'Cancellation terms',
        type: 'deliverable',
        by: 'writer',
        task: 'terms',
        versions: [
          `# If you cannot come

You can cancel free of charge until the day of arrival. After that time the price of one night is due. If the marina cancels, you will receive
a full refund. Refunds are made to the card you paid with and can take a few days. Please cancel in the app or by telephone.`,
          `# If you cannot come

Cancel before noon on the day you arrive and you pay nothing. After noon you pay for one night. If the marina cancels, you get everything
back. The money is on your card within five days.

Noon is noon in the harbour you are sailing to.`,
        ],
      },
      {
        title: 'Release notes 1.4',
        type: 'deliverable',
        by: 'writer',
        task: 'notes',
        versions: [
          `# Slipway 1.4: what is different on Monday

**Guests see the whole price before they book.** Berth, dues and power in one sum. You will hear "what does it cost in the end?" less often.

**Deposits.** If you want them, a guest pays ten euros per night when booking. You get the deposit of whoever does not come. (Until when it is
given back: to be decided.)

**Two boats on one berth cannot happen any more.** If two guests are equally fast, one of them is offered the nearest free berth.

What you have to do: nothing. If you want deposits, answer this mail.`,
        ],
      },
      {
        title: 'How we sound',
        type: 'reference',
        by: 'writer',
        versions: [
          `# How we sound

Like the harbour master who has seen you before: brief, exact, kind.

- "Your berth is 14. Power is on the left post." Not: "We are delighted to confirm your booking."
- Say what it costs, when it ends and whom to call. In that order.
- Errors: what went wrong, then what to do. "The card was refused. Try another, or pay in the harbour."
- No exclamation marks. The sea has enough of its own.`,
        ],
      },
    ],
  },
]
