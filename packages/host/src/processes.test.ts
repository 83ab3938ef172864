import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { portHolder, portTaken } from './ports.ts'
import { descendantsOf, isSameProcess, nameProcess } from './processes.ts'

describe('processes', () => {
  it('knows itself, and no other that got its pid', () => {
    const me = nameProcess(process.pid)
    expect(isSameProcess(me)).toBe(true)
    expect(isSameProcess({ ...me, startedAt: 'another time' })).toBe(false)
  })
  it('sees a process end', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
    const name = nameProcess(child.pid ?? 0)
    expect(isSameProcess(name)).toBe(true)
    expect(descendantsOf(process.pid)).toContain(name.pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(isSameProcess(name)).toBe(false)
  })
})

describe.runIf(process.platform === 'linux')('portHolder', () => {
  it('names the process that listens', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    expect(portHolder(port)).toMatchObject({ pid: process.pid })
    expect(portTaken(port, 'the health page', 'set HEALTH_PORT')).toMatch(
      new RegExp(`^Port ${port}, needed for the health page, is held by process ${process.pid} \\(`),
    )
    server.close()
    await once(server, 'close')
    expect(portHolder(port)).toBeNull()
  })
})
