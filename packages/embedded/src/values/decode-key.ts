/** Index keys as readable text, for traces. Accepts bounds too, which may stop anywhere inside a key. */
export function decodeKey(key: Buffer): string {
  const parts: string[] = []
  let at = 0
  while (at < key.length) {
    const [text, next] = decodeOne(key, at)
    parts.push(text)
    at = next
  }
  return `(${parts.join(', ')})`
}

function decodeOne(key: Buffer, at: number): [string, number] {
  const tag = key[at]!
  const raw = (): [string, number] => [`0x${key.subarray(at).toString('hex')}`, key.length]
  if (tag === 0x01) return ['undefined', at + 1]
  if (tag === 0x03) return ['null', at + 1]
  if (tag === 0x08) return ['0n', at + 1]
  if (tag >= 0x04 && tag <= 0x0c) {
    const width = [1, 2, 4, 8][Math.abs(tag - 0x08) - 1]!
    if (at + 1 + width > key.length) return raw()
    let value = 0n
    for (const byte of key.subarray(at + 1, at + 1 + width)) value = (value << 8n) | BigInt(byte)
    return [`${BigInt.asIntN(width * 8, value)}n`, at + 1 + width]
  }
  if (tag === 0x0d) {
    if (at + 9 > key.length) return raw()
    const bytes = Buffer.from(key.subarray(at + 1, at + 9))
    if (bytes[0]! & 0x80) bytes[0] = bytes[0]! & 0x7f
    else for (let i = 0; i < 8; i++) bytes[i] = ~bytes[i]! & 0xff
    return [String(bytes.readDoubleBE(0)), at + 9]
  }
  if (tag === 0x0e || tag === 0x0f) return [String(tag === 0x0f), at + 1]
  if (tag === 0x10) {
    const end = key.indexOf(0, at + 1)
    if (end === -1) return [`${JSON.stringify(key.toString('utf8', at + 1))}..`, key.length]
    return key[end + 1] === 0xff ? raw() : [JSON.stringify(key.toString('utf8', at + 1, end)), end + 1]
  }
  return raw()
}
