/** What a command says at its end. One list for every program of the product; a signal adds 128 to its number. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  authentication: 4,
  unreachable: 5,
  degraded: 6,
  interrupted: 130,
  terminated: 143,
} as const

/** For help and docs/errors.md. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'it worked; `start`: a clean drain'],
  [
    EXIT.failed,
    'it failed in another way, and trying again may help: a port or a data folder in use (its holder may be about to end), a defect',
  ],
  [EXIT.usage, 'the command line is wrong; nothing was tried'],
  [EXIT.configuration, 'the configuration is wrong: trying again does not help before somebody corrects it'],
  [EXIT.authentication, 'the service token was refused'],
  [EXIT.unreachable, 'the backend, the gateway or the model does not answer'],
  [EXIT.degraded, 'it works, with warnings (`check --strict`), or part of a pass failed (`sync-once`)'],
  [EXIT.interrupted, 'ended by a second Ctrl-C'],
  [EXIT.terminated, 'ended by a second SIGTERM'],
]
