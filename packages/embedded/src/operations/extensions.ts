/** File name extensions of stored files in an export, so that they open with a click. Nothing reads them back. */
const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['application/gzip', 'gz'],
  ['application/json', 'json'],
  ['application/pdf', 'pdf'],
  ['application/zip', 'zip'],
  ['audio/mpeg', 'mp3'],
  ['audio/wav', 'wav'],
  ['image/gif', 'gif'],
  ['image/jpeg', 'jpg'],
  ['image/png', 'png'],
  ['image/svg+xml', 'svg'],
  ['image/webp', 'webp'],
  ['text/css', 'css'],
  ['text/csv', 'csv'],
  ['text/html', 'html'],
  ['text/markdown', 'md'],
  ['text/plain', 'txt'],
  ['video/mp4', 'mp4'],
  ['video/webm', 'webm'],
])

/** ".png", or nothing for a type without a usual one. */
export function extensionOf(contentType: string | null): string {
  const extension = EXTENSIONS.get((contentType ?? '').split(';')[0]!.trim().toLowerCase())
  return extension === undefined ? '' : `.${extension}`
}
