import { expect, it } from 'vitest'
import { addressFor, baseUrl, isToolsPath } from './address.ts'

it('is where we listen, unless it is said', () => {
  const at = (host: string) => baseUrl(null, { host, port: 3002 })
  expect(['127.0.0.1', '0.0.0.0', '::', '::1', 'tools.internal'].map(at)).toEqual([
    'http://127.0.0.1:3002/mcp',
    'http://127.0.0.1:3002/mcp',
    'http://[::1]:3002/mcp',
    'http://[::1]:3002/mcp',
    'http://tools.internal:3002/mcp',
  ])
  const listens = { host: '0.0.0.0', port: 3002 }
  expect(baseUrl('http://10.0.0.5:3002', listens)).toBe('http://10.0.0.5:3002/mcp')
  expect(baseUrl('https://example.org/agents/mcp', listens)).toBe('https://example.org/agents/mcp')
})

it('changes with the token and does not tell it', () => {
  const [one, two] = ['a', 'b'].map((letter) => addressFor('http://x/mcp', letter.repeat(64)))
  expect(one).toMatch(/^http:\/\/x\/mcp\/[0-9a-f]{12}$/)
  expect(one).not.toBe(two)
  expect(isToolsPath(new URL(one ?? '').pathname)).toBe(true)
})
