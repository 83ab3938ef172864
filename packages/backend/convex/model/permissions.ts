/** What an agent may do: three layers, the later of which wins, key by key. Pure. */
import { PERMISSIONS } from '@mission-control/shared/enums'
import type { Permission } from '@mission-control/shared/enums'
import type { Doc } from '../_generated/dataModel.js'

export type Permissions = Doc<'agents'>['permissions']
export type PermissionLayer = Partial<Permissions>
/** Changes of a layer: `null` takes a key out of it. */
export type PermissionChange = { readonly [K in Permission]?: boolean | null | undefined }
export type PermissionOrigin = 'default' | 'account' | 'agent'

export const DEFAULT_PERMISSIONS: Permissions = {
  canCreateTasks: false,
  canModifyTaskStatus: true,
  canCreateDocuments: true,
  canRequestResponses: true,
  canReview: false,
  canMarkDone: false,
}

type AccountLayer = Pick<Doc<'accounts'>, 'permissionDefaults'>

/** Product default, account, agent merged. */
export const effectivePermissions = (account: AccountLayer, overrides: PermissionLayer): Permissions => ({
  ...DEFAULT_PERMISSIONS,
  ...account.permissionDefaults,
  ...overrides,
})

/** Which layer each effective value comes from. */
export function permissionOrigins(account: AccountLayer, overrides: PermissionLayer): Record<Permission, PermissionOrigin> {
  const originOf = (name: Permission): PermissionOrigin => {
    if (overrides[name] !== undefined) return 'agent'
    return account.permissionDefaults[name] === undefined ? 'default' : 'account'
  }
  return Object.fromEntries(PERMISSIONS.map((name) => [name, originOf(name)])) as Record<Permission, PermissionOrigin>
}

/** The layer with the changes made. */
export function withOverrides(layer: PermissionLayer, change: PermissionChange): PermissionLayer {
  const next: PermissionLayer = {}
  for (const name of PERMISSIONS) {
    const value = change[name] === undefined ? layer[name] : change[name]
    if (typeof value === 'boolean') next[name] = value
  }
  return next
}
