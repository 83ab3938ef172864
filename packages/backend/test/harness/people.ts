/** The people of an account, as tests look at them. */
import { errorCode } from '@mission-control/shared/errors'
import { api } from '../../convex/_generated/api.js'
import type { Id } from '../../convex/_generated/dataModel.js'
import type { World } from './world.ts'

export const EVERYTHING = { numItems: 200, cursor: null }

export const membersOf = async ({ ada, accountId }: Pick<World, 'ada' | 'accountId'>) =>
  (await ada.query(api.memberships.list, { accountId, paginationOpts: EVERYTHING })).page

/** The membership of `test|<name>`. */
export async function membershipOf(world: World, name: string): Promise<Id<'memberships'>> {
  const row = await world.backend.run((ctx) =>
    ctx.db
      .query('memberships')
      .withIndex('by_account_user', (q) => q.eq('accountId', world.accountId).eq('userId', `test|${name}`))
      .unique(),
  )
  if (!row) throw new Error(`${name} is no member.`)
  return row._id
}

/** Newest first. */
export const activitiesOf = async ({ ada, accountId }: Pick<World, 'ada' | 'accountId'>) =>
  (await ada.query(api.activities.list, { accountId, paginationOpts: EVERYTHING })).page

/** `accepted`, or the code of the refusal; anything else that is thrown is thrown again. */
export const outcome = (calling: Promise<unknown>): Promise<string> =>
  calling.then(
    () => 'accepted',
    (error: unknown) => {
      const code = errorCode(error)
      if (code === null) throw error
      return code
    },
  )
