/**
 * Calls the backend as a member of the account, through the normal guards: the admin key of the data folder vouches for the identity,
 * the functions decide what it may do.
 */
import { readFileSync } from 'node:fs'
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import type { UserIdentityAttributes } from 'convex/server'

/** Present in the official clients and used by Convex's own CLI, but not in their published types. */
interface AdminAuth {
  setAdminAuth(adminKey: string, identity: UserIdentityAttributes): void
}

export interface MemberOptions {
  readonly url: string
  readonly adminKeyFile: string
  readonly identity: UserIdentityAttributes
}

export interface Member extends AsyncDisposable {
  readonly http: ConvexHttpClient
  /** Subscriptions, over a socket that is opened on first use. */
  readonly live: () => ConvexClient
}

export function createMember({ url, adminKeyFile, identity }: MemberOptions): Member {
  const adminKey = readFileSync(adminKeyFile, 'utf8').trim()
  const http = new ConvexHttpClient(url, { logger: false })
  ;(http as unknown as AdminAuth).setAdminAuth(adminKey, identity)
  let socket: ConvexClient | null = null
  return {
    http,
    live: () => {
      if (socket) return socket
      socket = new ConvexClient(url, { logger: false, unsavedChangesWarning: false })
      ;(socket.client as unknown as AdminAuth).setAdminAuth(adminKey, identity)
      return socket
    },
    [Symbol.asyncDispose]: async () => socket?.close(),
  }
}
