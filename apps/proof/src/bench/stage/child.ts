/** A program of the bench as a process of its own: it and we say typed messages to each other over Node's channel. */
import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface Child<In, Out> extends AsyncDisposable {
  readonly pid: number
  readonly say: (message: In) => void
  readonly onMessage: (listener: (message: Out) => void) => void
  /** The promise, or a rejection when the process ends first. Nobody has to be waiting for it then. */
  orGone<T>(promise: Promise<T>): Promise<T>
  /** Resolves with the next message that matches. Rejects when the process ends first. */
  next<M extends Out>(matches: (message: Out) => message is M): Promise<M>
}

/** @param program path of a module; it ends by itself when the channel closes (`endWithParent`) */
export function startChild<In extends object, Out>(program: string, env: Readonly<Record<string, string>> = {}): Child<In, Out> {
  const child = fork(program, [], {
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...env },
    // Standard output is for the one JSON object of the bench.
    stdio: ['ignore', 2, 2, 'ipc'],
    // Ctrl-C reaches only us, and we choose the order in which the parts end.
    detached: true,
  })
  const listeners = new Set<(message: Out) => void>()
  child.on('message', (message) => {
    for (const listener of listeners) listener(message as Out)
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const gone = ended.then(([code, signal]) => {
    throw new Error(`${program} ended early (${signal ?? `exit code ${code}`}).`)
  })
  gone.catch(() => undefined) // whoever waits for something of this process hears of it
  const orGone = <T>(promise: Promise<T>): Promise<T> => {
    const either = Promise.race([promise, gone])
    either.catch(() => undefined) // it may end between a question and the wait for its answer
    return either
  }
  return {
    pid: child.pid ?? 0,
    say: (message) => void child.send(message),
    onMessage: (listener) => void listeners.add(listener),
    orGone,
    next<M extends Out>(matches: (message: Out) => message is M) {
      const found = Promise.withResolvers<M>()
      const listener = (message: Out) => {
        if (!matches(message)) return
        listeners.delete(listener)
        found.resolve(message)
      }
      listeners.add(listener)
      return orGone(found.promise)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}

/** The other side: what a program that `startChild` started says and hears. */
export interface Parent<In, Out> {
  readonly say: (message: Out) => void
  readonly onMessage: (listener: (message: In) => void) => void
}

/** Ends the process when whoever started it has gone: nothing outlives a bench that was killed. */
export function parentOf<In, Out>(): Parent<In, Out> {
  process.on('disconnect', () => process.exit(0))
  return {
    say: (message) => void process.send?.(message),
    onMessage: (listener) => void process.on('message', (message) => listener(message as In)),
  }
}
