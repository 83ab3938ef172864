/**
 * URLs of stored files are capabilities: who has one may read or upload, nobody can make one up. Knowing a file's id is not
 * enough, as in production. Signed with a secret that comes from the admin key, so that they survive a restart.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { RequestError } from '../errors.ts'

/** As in production: an hour to begin the upload. */
const UPLOAD_URL_LIFETIME_MS = 3_600_000
const NONCE_BYTES = 16

export type FileUrls = ReturnType<typeof createFileUrls>

export function createFileUrls(deps: {
  adminKey: string
  now(): number
  randomBytes(length: number): Uint8Array
  /** Where clients reach this backend; null when nothing listens. */
  origin(): string | null
}) {
  const sign = (purpose: string, text: string) =>
    createHmac('sha256', deps.adminKey).update(`file storage: ${purpose}\n${text}`).digest('base64url')
  /** As bytes: a text of the same number of characters may have more of them. */
  const matches = (expected: string, given: string) => {
    const [wanted, got] = [Buffer.from(expected), Buffer.from(given)]
    return wanted.length === got.length && timingSafeEqual(wanted, got)
  }

  function base(): string {
    const origin = deps.origin()
    if (origin === null)
      throw new Error('URLs of stored files need a backend that listens, or CONVEX_CLOUD_URL in its environment.')
    return origin.replace(/\/$/, '')
  }

  return {
    download: (id: string): string => `${base()}/api/storage/${id}.${sign('download', id)}`,
    /** The id behind the last part of a download URL. Throws 404 for anything that was not made here. */
    readDownload(name: string): string {
      const [id = '', signature = ''] = name.split('.')
      if (matches(sign('download', id), signature)) return id
      throw new RequestError(404, 'FileNotFound', 'There is no such file. URLs of files come from `storage.getUrl`.')
    },
    upload(): string {
      const until = `${deps.now() + UPLOAD_URL_LIFETIME_MS}.${Buffer.from(deps.randomBytes(NONCE_BYTES)).toString('hex')}`
      return `${base()}/api/storage/upload?token=${until}.${sign('upload', until)}`
    },
    /** Throws 401 for a token that was not made here, or is too old. */
    checkUpload(token: string | null): void {
      const [until = '', nonce = '', signature = ''] = (token ?? '').split('.')
      if (!matches(sign('upload', `${until}.${nonce}`), signature))
        throw new RequestError(401, 'InvalidUploadToken', 'The upload URL is not one of this backend.')
      if (deps.now() >= Number(until))
        throw new RequestError(401, 'UploadTokenExpired', 'The upload URL is older than an hour: ask for another one.')
    },
  }
}
