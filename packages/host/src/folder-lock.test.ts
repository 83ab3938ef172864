import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FolderError, folderHolder, lockFolder } from './folder-lock.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const options = { name: 'test', holder: 'another test', change: 'use another folder' }

it('refuses a second holder in one sentence that names the first, and not after a release', () => {
  const first = lockFolder(folder, options)
  expect(() => lockFolder(folder, options)).toThrow(FolderError)
  expect(() => lockFolder(folder, options)).toThrow(
    `The data folder ${first.folder} is in use by another test (pid ${process.pid}): stop that one, or use another folder.`,
  )
  expect(folderHolder(folder, 'test')).toBe(process.pid)
  first.release()
  expect(folderHolder(folder, 'test')).toBeNull()
  lockFolder(folder, options).release()
})

it('is for the owner only', () => {
  const fresh = path.join(folder, 'fresh')
  const lock = lockFolder(fresh, options)
  for (const file of ['', 'test.lock', 'test.pid']) expect(statSync(path.join(fresh, file)).mode & 0o077).toBe(0)
  lock.release()
})

it('is free at once when its holder is killed', async () => {
  const source = `import { lockFolder } from ${JSON.stringify(path.resolve(import.meta.dirname, 'folder-lock.ts'))}
    lockFolder(${JSON.stringify(folder)}, ${JSON.stringify(options)}); console.log('locked'); process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  expect(() => lockFolder(folder, options)).toThrow(`(pid ${child.pid})`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockFolder(folder, options).release()
})

it('says in one sentence that a folder cannot be used', () => {
  expect(() => lockFolder('/dev/null/x', options)).toThrow(
    'The data folder /dev/null/x cannot be created or written (ENOTDIR): correct its owner or path, or use another folder.',
  )
})
