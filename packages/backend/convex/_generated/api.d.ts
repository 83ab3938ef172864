/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as accounts from "../accounts.js";
import type * as activities from "../activities.js";
import type * as agents from "../agents.js";
import type * as attachments from "../attachments.js";
import type * as crons from "../crons.js";
import type * as deliveries from "../deliveries.js";
import type * as documents from "../documents.js";
import type * as fanOut from "../fanOut.js";
import type * as invitations from "../invitations.js";
import type * as lib_budget from "../lib/budget.js";
import type * as lib_clock from "../lib/clock.js";
import type * as lib_errors from "../lib/errors.js";
import type * as lib_functions from "../lib/functions.js";
import type * as lib_guards from "../lib/guards.js";
import type * as lib_ids from "../lib/ids.js";
import type * as lib_localDays from "../lib/localDays.js";
import type * as lib_owned from "../lib/owned.js";
import type * as lib_paging from "../lib/paging.js";
import type * as lib_snippet from "../lib/snippet.js";
import type * as lib_text from "../lib/text.js";
import type * as lib_tokens from "../lib/tokens.js";
import type * as lib_validators from "../lib/validators.js";
import type * as maintenance from "../maintenance.js";
import type * as memberships from "../memberships.js";
import type * as messages from "../messages.js";
import type * as model_accountRemoval from "../model/accountRemoval.js";
import type * as model_accountSettings from "../model/accountSettings.js";
import type * as model_accountTables from "../model/accountTables.js";
import type * as model_accounts from "../model/accounts.js";
import type * as model_activity from "../model/activity.js";
import type * as model_actors from "../model/actors.js";
import type * as model_agentRemoval from "../model/agentRemoval.js";
import type * as model_agents from "../model/agents.js";
import type * as model_apply from "../model/apply.js";
import type * as model_assign from "../model/assign.js";
import type * as model_assignments from "../model/assignments.js";
import type * as model_attachments from "../model/attachments.js";
import type * as model_audit from "../model/audit.js";
import type * as model_board from "../model/board.js";
import type * as model_budgets from "../model/budgets.js";
import type * as model_candidates from "../model/candidates.js";
import type * as model_checkIn from "../model/checkIn.js";
import type * as model_claim from "../model/claim.js";
import type * as model_claimedItem from "../model/claimedItem.js";
import type * as model_context from "../model/context.js";
import type * as model_counters from "../model/counters.js";
import type * as model_deadLetters from "../model/deadLetters.js";
import type * as model_deletedMessage from "../model/deletedMessage.js";
import type * as model_documentReads from "../model/documentReads.js";
import type * as model_documentRemoval from "../model/documentRemoval.js";
import type * as model_documentTree from "../model/documentTree.js";
import type * as model_documents from "../model/documents.js";
import type * as model_effects from "../model/effects.js";
import type * as model_enqueue from "../model/enqueue.js";
import type * as model_fanOut from "../model/fanOut.js";
import type * as model_folds from "../model/folds.js";
import type * as model_followUp from "../model/followUp.js";
import type * as model_followers from "../model/followers.js";
import type * as model_heartbeat from "../model/heartbeat.js";
import type * as model_inbox from "../model/inbox.js";
import type * as model_invitations from "../model/invitations.js";
import type * as model_keys from "../model/keys.js";
import type * as model_labels from "../model/labels.js";
import type * as model_lanes from "../model/lanes.js";
import type * as model_lapse from "../model/lapse.js";
import type * as model_mail from "../model/mail.js";
import type * as model_memberRemoval from "../model/memberRemoval.js";
import type * as model_members from "../model/members.js";
import type * as model_mentions from "../model/mentions.js";
import type * as model_messageChanges from "../model/messageChanges.js";
import type * as model_notices from "../model/notices.js";
import type * as model_permissions from "../model/permissions.js";
import type * as model_preferences from "../model/preferences.js";
import type * as model_presence from "../model/presence.js";
import type * as model_queue from "../model/queue.js";
import type * as model_rank from "../model/rank.js";
import type * as model_recipients from "../model/recipients.js";
import type * as model_reply from "../model/reply.js";
import type * as model_responseRequests from "../model/responseRequests.js";
import type * as model_retention from "../model/retention.js";
import type * as model_retentionSteps from "../model/retentionSteps.js";
import type * as model_runs from "../model/runs.js";
import type * as model_runtimes from "../model/runtimes.js";
import type * as model_search from "../model/search.js";
import type * as model_seed from "../model/seed.js";
import type * as model_seedAgents from "../model/seedAgents.js";
import type * as model_seedDocuments from "../model/seedDocuments.js";
import type * as model_seedTasks from "../model/seedTasks.js";
import type * as model_seen from "../model/seen.js";
import type * as model_setBudgets from "../model/setBudgets.js";
import type * as model_settle from "../model/settle.js";
import type * as model_signals from "../model/signals.js";
import type * as model_stale from "../model/stale.js";
import type * as model_standup from "../model/standup.js";
import type * as model_stop from "../model/stop.js";
import type * as model_strayFiles from "../model/strayFiles.js";
import type * as model_subscriptions from "../model/subscriptions.js";
import type * as model_sweep from "../model/sweep.js";
import type * as model_taskLists from "../model/taskLists.js";
import type * as model_taskMoves from "../model/taskMoves.js";
import type * as model_tasks from "../model/tasks.js";
import type * as model_tell from "../model/tell.js";
import type * as model_thread from "../model/thread.js";
import type * as model_threadState from "../model/threadState.js";
import type * as model_threads from "../model/threads.js";
import type * as model_tokens from "../model/tokens.js";
import type * as model_toolPages from "../model/toolPages.js";
import type * as model_toolReads from "../model/toolReads.js";
import type * as model_toolWrites from "../model/toolWrites.js";
import type * as model_turnScope from "../model/turnScope.js";
import type * as model_usage from "../model/usage.js";
import type * as model_usageReport from "../model/usageReport.js";
import type * as notifications from "../notifications.js";
import type * as runtimes from "../runtimes.js";
import type * as search from "../search.js";
import type * as seed from "../seed.js";
import type * as service_agents from "../service/agents.js";
import type * as service_contract from "../service/contract.js";
import type * as service_heartbeats from "../service/heartbeats.js";
import type * as service_messages from "../service/messages.js";
import type * as service_notifications from "../service/notifications.js";
import type * as service_runtime from "../service/runtime.js";
import type * as service_tools from "../service/tools.js";
import type * as serviceTokens from "../serviceTokens.js";
import type * as standup from "../standup.js";
import type * as subscriptions from "../subscriptions.js";
import type * as sweeps from "../sweeps.js";
import type * as tables_documents from "../tables/documents.js";
import type * as tables_lanes from "../tables/lanes.js";
import type * as tables_people from "../tables/people.js";
import type * as tables_work from "../tables/work.js";
import type * as tasks from "../tasks.js";
import type * as totals from "../totals.js";
import type * as usage from "../usage.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";

declare const fullApi: ApiFromModules<{
  accounts: typeof accounts;
  activities: typeof activities;
  agents: typeof agents;
  attachments: typeof attachments;
  crons: typeof crons;
  deliveries: typeof deliveries;
  documents: typeof documents;
  fanOut: typeof fanOut;
  invitations: typeof invitations;
  "lib/budget": typeof lib_budget;
  "lib/clock": typeof lib_clock;
  "lib/errors": typeof lib_errors;
  "lib/functions": typeof lib_functions;
  "lib/guards": typeof lib_guards;
  "lib/ids": typeof lib_ids;
  "lib/localDays": typeof lib_localDays;
  "lib/owned": typeof lib_owned;
  "lib/paging": typeof lib_paging;
  "lib/snippet": typeof lib_snippet;
  "lib/text": typeof lib_text;
  "lib/tokens": typeof lib_tokens;
  "lib/validators": typeof lib_validators;
  maintenance: typeof maintenance;
  memberships: typeof memberships;
  messages: typeof messages;
  "model/accountRemoval": typeof model_accountRemoval;
  "model/accountSettings": typeof model_accountSettings;
  "model/accountTables": typeof model_accountTables;
  "model/accounts": typeof model_accounts;
  "model/activity": typeof model_activity;
  "model/actors": typeof model_actors;
  "model/agentRemoval": typeof model_agentRemoval;
  "model/agents": typeof model_agents;
  "model/apply": typeof model_apply;
  "model/assign": typeof model_assign;
  "model/assignments": typeof model_assignments;
  "model/attachments": typeof model_attachments;
  "model/audit": typeof model_audit;
  "model/board": typeof model_board;
  "model/budgets": typeof model_budgets;
  "model/candidates": typeof model_candidates;
  "model/checkIn": typeof model_checkIn;
  "model/claim": typeof model_claim;
  "model/claimedItem": typeof model_claimedItem;
  "model/context": typeof model_context;
  "model/counters": typeof model_counters;
  "model/deadLetters": typeof model_deadLetters;
  "model/deletedMessage": typeof model_deletedMessage;
  "model/documentReads": typeof model_documentReads;
  "model/documentRemoval": typeof model_documentRemoval;
  "model/documentTree": typeof model_documentTree;
  "model/documents": typeof model_documents;
  "model/effects": typeof model_effects;
  "model/enqueue": typeof model_enqueue;
  "model/fanOut": typeof model_fanOut;
  "model/folds": typeof model_folds;
  "model/followUp": typeof model_followUp;
  "model/followers": typeof model_followers;
  "model/heartbeat": typeof model_heartbeat;
  "model/inbox": typeof model_inbox;
  "model/invitations": typeof model_invitations;
  "model/keys": typeof model_keys;
  "model/labels": typeof model_labels;
  "model/lanes": typeof model_lanes;
  "model/lapse": typeof model_lapse;
  "model/mail": typeof model_mail;
  "model/memberRemoval": typeof model_memberRemoval;
  "model/members": typeof model_members;
  "model/mentions": typeof model_mentions;
  "model/messageChanges": typeof model_messageChanges;
  "model/notices": typeof model_notices;
  "model/permissions": typeof model_permissions;
  "model/preferences": typeof model_preferences;
  "model/presence": typeof model_presence;
  "model/queue": typeof model_queue;
  "model/rank": typeof model_rank;
  "model/recipients": typeof model_recipients;
  "model/reply": typeof model_reply;
  "model/responseRequests": typeof model_responseRequests;
  "model/retention": typeof model_retention;
  "model/retentionSteps": typeof model_retentionSteps;
  "model/runs": typeof model_runs;
  "model/runtimes": typeof model_runtimes;
  "model/search": typeof model_search;
  "model/seed": typeof model_seed;
  "model/seedAgents": typeof model_seedAgents;
  "model/seedDocuments": typeof model_seedDocuments;
  "model/seedTasks": typeof model_seedTasks;
  "model/seen": typeof model_seen;
  "model/setBudgets": typeof model_setBudgets;
  "model/settle": typeof model_settle;
  "model/signals": typeof model_signals;
  "model/stale": typeof model_stale;
  "model/standup": typeof model_standup;
  "model/stop": typeof model_stop;
  "model/strayFiles": typeof model_strayFiles;
  "model/subscriptions": typeof model_subscriptions;
  "model/sweep": typeof model_sweep;
  "model/taskLists": typeof model_taskLists;
  "model/taskMoves": typeof model_taskMoves;
  "model/tasks": typeof model_tasks;
  "model/tell": typeof model_tell;
  "model/thread": typeof model_thread;
  "model/threadState": typeof model_threadState;
  "model/threads": typeof model_threads;
  "model/tokens": typeof model_tokens;
  "model/toolPages": typeof model_toolPages;
  "model/toolReads": typeof model_toolReads;
  "model/toolWrites": typeof model_toolWrites;
  "model/turnScope": typeof model_turnScope;
  "model/usage": typeof model_usage;
  "model/usageReport": typeof model_usageReport;
  notifications: typeof notifications;
  runtimes: typeof runtimes;
  search: typeof search;
  seed: typeof seed;
  "service/agents": typeof service_agents;
  "service/contract": typeof service_contract;
  "service/heartbeats": typeof service_heartbeats;
  "service/messages": typeof service_messages;
  "service/notifications": typeof service_notifications;
  "service/runtime": typeof service_runtime;
  "service/tools": typeof service_tools;
  serviceTokens: typeof serviceTokens;
  standup: typeof standup;
  subscriptions: typeof subscriptions;
  sweeps: typeof sweeps;
  "tables/documents": typeof tables_documents;
  "tables/lanes": typeof tables_lanes;
  "tables/people": typeof tables_people;
  "tables/work": typeof tables_work;
  tasks: typeof tasks;
  totals: typeof totals;
  usage: typeof usage;
}>;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;

export declare const components: {};
