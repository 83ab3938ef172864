/** The differences between mock and engine that random programs stay clear of are all still there. */
import { afterAll, expect, it } from 'vitest'
import { ACCEPTED } from './fixtures/accepted.ts'
import { createDifferential } from './fixtures/differential.ts'

const both = createDifferential()
afterAll(() => both[Symbol.asyncDispose]())

it.each(ACCEPTED.map((entry, at) => ({ ...entry, at })))('$what', async ({ at, mock, engine }) => {
  const stories = await both.play({ kind: 'accepted', at })
  expect(stories.engine).toEqual([engine])
  expect(stories.mock).toEqual([mock])
})
