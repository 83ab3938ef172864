/** Looks for texts in everything an image consists of: every layer as stored, its configuration and its history. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, openSync, readSync, closeSync } from 'node:fs'
import { glob, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

/**
 * @param image any name `docker save` takes
 * @param texts what to look for
 * @returns how many files of the saved image (layers, configuration) hold each text
 */
export async function countInImage(image: string, texts: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mc-image-'))
  try {
    await unpack(image, folder)
    const found = new Map(texts.map((text) => [text, 0]))
    for await (const name of glob('**/*', { cwd: folder })) {
      const file = path.join(folder, name)
      if (!(await stat(file)).isFile()) continue
      for (const text of await textsIn(plain(file), texts)) found.set(text, (found.get(text) ?? 0) + 1)
    }
    return found
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function unpack(image: string, folder: string): Promise<void> {
  const save = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] })
  const tar = spawn('tar', ['-xf', '-', '-C', folder], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ends = Promise.all([once(save, 'exit'), once(tar, 'exit')]) as Promise<[[number], [number]]>
  await pipeline(save.stdout, tar.stdin)
  const [[saved], [unpacked]] = await ends
  if (saved !== 0 || unpacked !== 0) throw new Error(`docker save ${image} ended with ${saved}, tar with ${unpacked}`)
}

/** Some stores keep layers compressed, others do not. */
function plain(file: string): Readable {
  const head = Buffer.alloc(4)
  const fd = openSync(file, 'r')
  readSync(fd, head, 0, 4, 0)
  closeSync(fd)
  if (head.readUInt16BE(0) === 0x1f8b) return createReadStream(file).pipe(createGunzip())
  if (head.readUInt32LE(0) === 0xfd2fb528) return createReadStream(file).pipe(createZstdDecompress())
  return createReadStream(file)
}

async function textsIn(stream: Readable, texts: readonly string[]): Promise<Set<string>> {
  const overlap = Math.max(...texts.map((text) => Buffer.byteLength(text))) - 1
  const found = new Set<string>()
  let rest = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const window = Buffer.concat([rest, chunk])
    for (const text of texts) if (!found.has(text) && window.includes(text)) found.add(text)
    rest = window.subarray(Math.max(0, window.length - overlap))
  }
  return found
}
