/** What a request names. */
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../errors.ts'

/**
 * The URL of a request. Not resolved like a link: a path that begins with two slashes would name another host.
 * `origin`: where the request arrived. @throws RequestError 400
 */
export function urlOf(request: IncomingMessage, origin: string): URL {
  const target = request.url ?? '/'
  const url = URL.parse(target.startsWith('/') ? `${origin}${target}` : target) // whole URLs are for proxies, but allowed
  // Names and passwords in an address are for clients, which put them into a header. No Request can be made with them.
  if (!url || url.username !== '' || url.password !== '') {
    throw new RequestError(400, 'BadUrl', 'The URL or the Host header of the request is not valid.')
  }
  return url
}
