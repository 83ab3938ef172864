/** One turn of the event loop: everything the network has ready is read before it resolves. Not a timed wait. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    // eslint-disable-next-line no-restricted-globals -- yields to I/O that is already there; no time passes on any clock
    setImmediate(resolve)
  })
}
