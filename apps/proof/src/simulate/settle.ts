/** Lets everything run that needs no time: one turn of the event loop outlasts every chain of promises, for nothing here does I/O. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    // eslint-disable-next-line no-restricted-globals -- no time passes on any clock
    setImmediate(resolve)
  })
}
