/**
 * Every row but an account carries `accountId`, and every index starts with it. The exceptions are named where they are: the
 * lapse cron's index over all accounts, and the memberships of a user.
 */
import { defineSchema } from 'convex/server'
import { laneTables } from './tables/lanes.js'
import { peopleTables } from './tables/people.js'
import { workTables } from './tables/work.js'

export default defineSchema({ ...peopleTables, ...workTables, ...laneTables })
