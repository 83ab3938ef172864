/** Workspaces on a real disk: only our files are touched, nothing of anybody else's is lost, nothing is written outside. */
import { lstat, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeWorkspace } from '../src/workspace/files.ts'
import { moveWorkspaces } from '../src/workspace/move.ts'

let root: string
let dir: string
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mc-workspace-')))
  dir = join(root, 'writer')
})
afterEach(async () => rm(root, { recursive: true, force: true }))

const text = (...path: string[]) => readFile(join(root, ...path), 'utf8')
const names = async (...path: string[]) => (await readdir(join(root, ...path))).sort()

describe('a workspace', () => {
  it('gets what changed, keeps what is not ours, and has a folder for memory', async () => {
    const first = await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul', 'AGENTS.md': 'rules' })
    expect(first).toEqual({ written: ['SOUL.md', 'AGENTS.md'], kept: [] })
    await writeFile(join(dir, 'notes.md'), 'the agent wrote this')
    await writeFile(join(dir, 'memory', 'today.md'), 'and this')
    const before = (await stat(join(dir, 'SOUL.md'))).ino
    const second = await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul', 'AGENTS.md': 'new rules' })
    expect(second).toEqual({ written: ['AGENTS.md'], kept: [] })
    expect((await stat(join(dir, 'SOUL.md'))).ino).toBe(before)
    expect([await text('writer', 'notes.md'), await text('writer', 'memory', 'today.md')]).toEqual([
      ...['the agent wrote this', 'and this'],
    ])
    expect(await names('writer')).toEqual(['.mission-control.json', 'AGENTS.md', 'SOUL.md', 'memory', 'notes.md'])
  })

  it('knows what it wrote beside a file that could not be written', async () => {
    const unwritable = 5 as never // what no file takes
    await expect(writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul', 'AGENTS.md': unwritable })).rejects.toThrow()
    const next = await writeWorkspace(dir, 'a1', { 'SOUL.md': 'another soul', 'AGENTS.md': 'rules' })
    expect(next).toEqual({ written: ['SOUL.md', 'AGENTS.md'], kept: [] })
  })

  it('puts a file aside that somebody else wrote or changed, each time', async () => {
    await mkdir(dir)
    await writeFile(join(dir, 'SOUL.md'), 'mine, from before')
    expect((await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul' })).kept).toEqual([join(dir, 'SOUL.md.kept-1')])
    await writeFile(join(dir, 'SOUL.md'), 'changed by the agent')
    expect((await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul 2' })).kept).toEqual([join(dir, 'SOUL.md.kept-2')])
    expect((await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul 3' })).kept).toEqual([])
    expect(await text('writer', 'SOUL.md')).toBe('soul 3')
    expect(await text('writer', 'SOUL.md.kept-1')).toBe('mine, from before')
    expect(await text('writer', 'SOUL.md.kept-2')).toBe('changed by the agent')
  })

  it('writes through no link: not in the place of a file, of our record, of the memory or of the folder itself', async () => {
    const outside = join(root, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'secret'), 'untouched')
    await mkdir(dir)
    for (const name of ['SOUL.md', '.mission-control.json']) await symlink(join(outside, 'secret'), join(dir, name))
    await symlink(join(outside, 'not there yet'), join(dir, 'AGENTS.md'))
    await symlink(outside, join(dir, 'memory'))
    await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul', 'AGENTS.md': 'rules' })
    expect([await text('writer', 'SOUL.md'), await text('writer', 'AGENTS.md')]).toEqual(['soul', 'rules'])
    expect((await lstat(join(dir, 'SOUL.md.kept-1'))).isSymbolicLink()).toBe(true)
    await symlink(outside, join(root, 'editor'))
    await expect(writeWorkspace(join(root, 'editor'), 'a2', { 'SOUL.md': 'soul' })).rejects.toThrow('symbolic link')
    expect(await names('outside')).toEqual(['secret'])
    expect(await text('outside', 'secret')).toBe('untouched')
  })

  it('is refused where something else stands, with the next step; a folder in the place of a file is put aside', async () => {
    await writeFile(dir, 'a file')
    await expect(writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul' })).rejects.toThrow('Remove or rename it')
    const other = join(root, 'editor')
    await mkdir(join(other, 'SOUL.md', 'inner'), { recursive: true })
    await writeWorkspace(other, 'a2', { 'SOUL.md': 'soul' })
    expect(await names('editor', 'SOUL.md.kept-1')).toEqual(['inner'])
  })

  it('of another agent is put aside whole, so that nobody finds the memory of somebody else', async () => {
    await writeWorkspace(dir, 'a1', { 'SOUL.md': 'soul' })
    await writeFile(join(dir, 'memory', 'private.md'), 'of a1')
    const { kept } = await writeWorkspace(dir, 'a2', { 'SOUL.md': 'soul' })
    expect(kept).toEqual([`${dir}.kept-1`])
    expect(await names('writer', 'memory')).toEqual([])
    expect(await text('writer.kept-1', 'memory', 'private.md')).toBe('of a1')
  })
})

describe('workspaces that move', () => {
  const filled = async (slug: string, owner: string) => {
    await writeWorkspace(join(root, slug), owner, { 'SOUL.md': `soul of ${owner}` })
    await writeFile(join(root, slug, 'memory', 'm.md'), owner)
  }
  const move = (owner: string, from: string, to: string) => ({ owner, from: join(root, from), to: join(root, to) })
  const memories = async () =>
    Object.fromEntries(
      await Promise.all((await names()).map(async (slug) => [slug, await text(slug, 'memory', 'm.md').catch(() => null)])),
    ) as Record<string, string | null>

  it('change places, in a row and in a ring, with their memory', async () => {
    for (const slug of ['a', 'b', 'c']) await filled(slug, `agent-${slug}`)
    const moves = [move('agent-a', 'a', 'b'), move('agent-b', 'b', 'c'), move('agent-c', 'c', 'a')]
    expect(await moveWorkspaces(moves)).toEqual(new Map())
    expect(await memories()).toEqual({ a: 'agent-c', b: 'agent-a', c: 'agent-b' })
    // Told once more, as after a crash before anybody wrote down that it was done.
    expect(await moveWorkspaces(moves)).toEqual(new Map())
    expect(await memories()).toEqual({ a: 'agent-c', b: 'agent-a', c: 'agent-b' })
  })

  it('go on where a crash ended them', async () => {
    for (const slug of ['a', 'b']) await filled(slug, `agent-${slug}`)
    const moves = [move('agent-a', 'a', 'b'), move('agent-b', 'b', 'a')]
    await rename(join(root, 'a'), join(root, '.moving-agent-a'))
    await moveWorkspaces(moves)
    expect(await memories()).toEqual({ a: 'agent-b', b: 'agent-a' })
  })

  it('put aside what stands in their new place, and leave what is not theirs', async () => {
    await filled('a', 'agent-a')
    await filled('old', 'agent-gone')
    await moveWorkspaces([move('agent-a', 'a', 'old'), move('agent-x', 'old', 'new'), move('agent-y', 'missing', 'new')])
    expect(await memories()).toEqual({ old: 'agent-a', 'old.kept-1': 'agent-gone' })
  })
})
