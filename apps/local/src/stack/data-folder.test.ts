import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDataFolder } from './data-folder.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'mission-control-data-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('never empties a folder that is not ours', () => {
  writeFileSync(path.join(folder, 'thesis.txt'), 'years of work')
  for (const fresh of [true, false]) {
    expect(() => openDataFolder(folder, { fresh })).toThrow(
      /^The data folder .* cannot be used: it holds something .*--data-dir\.$/,
    )
  }
  expect(readdirSync(folder)).toEqual(['thesis.txt'])
})

it('empties its own when it starts from nothing, and keeps it otherwise', () => {
  const own = path.join(folder, 'a', 'b')
  openDataFolder(own, { fresh: true })
  mkdirSync(path.join(own, 'backend'))
  openDataFolder(own, { fresh: false })
  expect(existsSync(path.join(own, 'backend'))).toBe(true)
  openDataFolder(own, { fresh: true })
  expect(existsSync(path.join(own, 'backend'))).toBe(false)
})

it('says in one sentence why a folder cannot be used', () => {
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  expect(() => openDataFolder(file, { fresh: true })).toThrow(
    `The data folder ${file} cannot be used: it is a file. Choose another with --data-dir.`,
  )
  expect(() => openDataFolder(path.join(file, 'x'), { fresh: true })).toThrow('a part of the path is a file')
})
