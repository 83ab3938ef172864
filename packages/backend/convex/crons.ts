import { cronJobs } from 'convex/server'
import { internal } from './_generated/api.js'
import { LAPSE_EVERY_S } from './model/lapse.js'

const crons = cronJobs()
crons.interval('lapse', { seconds: LAPSE_EVERY_S }, internal.maintenance.lapse, {})
crons.interval('audit', { hours: 1 }, internal.maintenance.auditAll, {})
crons.interval('retention', { hours: 6 }, internal.maintenance.retainAll, {})
crons.interval('removals', { minutes: 10 }, internal.maintenance.removals, {})
crons.interval('standup', { hours: 1 }, internal.standup.writeAll, {})
crons.interval('strayFiles', { hours: 24 }, internal.attachments.removeStray, {})

export default crons
