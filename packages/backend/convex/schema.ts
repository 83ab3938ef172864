/**
 * Every row but an account carries `accountId`, and every index starts with it. The exceptions are named where they are:
 * what crons look up over all accounts, and what comes before any account is known (a user's memberships, invitation codes, files).
 */
import { defineSchema } from 'convex/server'
import { documentTables } from './tables/documents.js'
import { laneTables } from './tables/lanes.js'
import { peopleTables } from './tables/people.js'
import { workTables } from './tables/work.js'

export default defineSchema({ ...peopleTables, ...workTables, ...documentTables, ...laneTables })
