/** What our files in an agent's workspace say. Pure. The gateway reads SOUL.md and AGENTS.md anew for each turn. */
import { createHash } from 'node:crypto'
import { PERMISSIONS } from '@mission-control/shared/enums'
import type { AgentProfile, RosterEntry } from '@mission-control/shared/service-contract'
import { serverName } from '@mission-control/openclaw/config/agents'
import type { WorkspaceFile } from '@mission-control/openclaw/workspace/files'
import { oneLine } from './quoted.ts'
import { ASKED, EXAMPLE_TOOLS, fenceOf, LEAD_RULES, PERMISSION_RULES, quotedRule, RULES, turnCodeRule } from './rules.ts'

type Files = Record<WorkspaceFile, string>

/** The profile's texts are the account's own words about its agent and stand as they are; names are put on one line. */
export function workspaceFiles(agent: RosterEntry, profile: Pick<AgentProfile, 'soul' | 'identity' | 'user'>): Files {
  const [name, role] = [oneLine(agent.name), oneLine(agent.role)]
  return {
    'SOUL.md': text(profile.soul) || `# ${name}\n\nYou are ${name}, ${role}.\n`,
    'IDENTITY.md': text(profile.identity) || `# Identity\n\n- Name: ${name}\n- Role: ${role}\n- Handle: @${agent.slug}\n`,
    'USER.md': text(profile.user) || '# The people you work for\n\nNothing is known about them yet.\n',
    'AGENTS.md': agentsFile(agent, name, role),
    'HEARTBEAT.md': `# Heartbeat\n\n${ASKED.heartbeat} ${RULES.nothingToSay}\n`,
    'TOOLS.md': toolsFile(agent),
  }
}

/**
 * Changes exactly when one of the files would: made from the files themselves, so that nothing they say can be forgotten here, and
 * a version of this program that says something else writes them again.
 */
export function filesKey(agent: RosterEntry): string {
  const withoutProfile = workspaceFiles(agent, { soul: '', identity: '', user: '' })
  return createHash('sha256')
    .update(JSON.stringify([agent.profileHash, withoutProfile]))
    .digest('base64url')
}

function agentsFile({ slug, lead }: RosterEntry, name: string, role: string): string {
  const team = `You are ${name} (@${slug}), ${role}, one of several agents of a team that shares tasks and threads in Mission Control.`
  // How a reply is taken is said in each message: it is not the same for all turns.
  const rules = [RULES.oneTurn, quotedRule(fenceOf('CODE')), RULES.filesByName, RULES.memory]
  return `# How you work\n\n${team}${lead ? ' You are its lead.' : ''}\n\n${bullets(rules)}\n`
}

function toolsFile({ slug, permissions, lead }: RosterEntry): string {
  const server = serverName(slug)
  const names = EXAMPLE_TOOLS.map((tool) => `\`${server}__${tool}\``).join(', ')
  const given = PERMISSIONS.filter((permission) => permissions[permission]).map((permission) => PERMISSION_RULES[permission].may)
  const refused = PERMISSIONS.filter((permission) => !permissions[permission]).map(
    (permission) => PERMISSION_RULES[permission].mayNot,
  )
  const may = lead ? [...given, LEAD_RULES.may] : given
  const mayNot = lead ? refused : [...refused, LEAD_RULES.mayNot]
  return (
    [
      '# Tools',
      `The tools of Mission Control are named \`${server}__…\`: ${names} and so on. ${turnCodeRule(null)}`,
      ...section('You may', may),
      ...section('You may not', mayNot),
    ].join('\n\n') + '\n'
  )
}

const section = (heading: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`${heading}:\n\n${bullets(lines)}`]

const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')

const text = (given: string) => (given.trim() === '' ? '' : given.endsWith('\n') ? given : `${given}\n`)
