import { describe, expect, it } from 'vitest'
import type { Audit } from './audit.ts'
import { readNpmAudit, readYarnAudit, report } from './audit.ts'

const advisory = (name: string, severity: string) =>
  JSON.stringify({
    value: name,
    children: { ID: 1, Issue: `trouble in ${name}`, URL: 'https://example.org/1', Severity: severity },
  })
const of = (name: string, severity: string) => ({ name, severity, title: `trouble in ${name}`, url: 'https://example.org/1' })

describe('the answer of Yarn', () => {
  it('is what it found that is high or critical', () => {
    const stdout = [advisory('a', 'high'), advisory('b', 'moderate'), advisory('c', 'critical'), ''].join('\n')
    expect(readYarnAudit({ status: 1, stdout, stderr: '' })).toEqual({
      kind: 'answered',
      findings: [of('a', 'high'), of('c', 'critical')],
    })
    expect(readYarnAudit({ status: 0, stdout: '', stderr: '' })).toEqual({ kind: 'answered', findings: [] })
  })

  it.each([
    ['  originalError: [HTTPError]: Response code 405 (Method Not Allowed)\n    at x', 'Response code 405 (Method Not Allowed)'],
    ['➤ YN0035:   Response Code: 405 (Method Not Allowed)\n➤ YN0035:   Request', 'Response Code: 405 (Method Not Allowed)'],
    ['RequestError: getaddrinfo ENOTFOUND registry.invalid\n', 'RequestError: getaddrinfo ENOTFOUND registry.invalid'],
    ['HTTPError: Response code 503 (Service Unavailable)', 'Response code 503 (Service Unavailable)'],
  ])('is none where there is no registry to ask: %j', (stderr, reason) => {
    expect(readYarnAudit({ status: 1, stdout: '', stderr })).toEqual({ kind: 'unanswered', reason })
  })

  it('is no silence of a registry when the tool itself is broken or was refused its question', () => {
    expect(() => readYarnAudit({ status: 1, stdout: '', stderr: 'Usage Error: unknown flag' })).toThrow(
      'The audit itself failed (1)',
    )
    expect(() => readYarnAudit({ status: 1, stdout: '', stderr: 'Response code 400 (Bad Request)' })).toThrow(
      'The audit itself failed',
    )
    expect(() => readYarnAudit({ status: null, stdout: '', stderr: '' })).toThrow('killed')
  })
})

describe('the answer of npm', () => {
  it('is each advisory once, with the package it is of', () => {
    const via = [{ title: 'trouble in a', url: 'https://example.org/1' }]
    const vulnerabilities = { a: { severity: 'high', via }, above: { severity: 'high', via: ['a'] }, c: { severity: 'low', via } }
    const stdout = JSON.stringify({ vulnerabilities })
    expect(readNpmAudit({ status: 1, stdout, stderr: '' })).toEqual({ kind: 'answered', findings: [of('a', 'high')] })
  })

  it('is none where there is no registry to ask', () => {
    const stdout = JSON.stringify({
      message: 'request to x failed, reason: connect ECONNREFUSED 127.0.0.1:9',
      error: { summary: '' },
    })
    expect(readNpmAudit({ status: 1, stdout, stderr: 'npm error audit endpoint returned an error' })).toMatchObject({
      kind: 'unanswered',
    })
    expect(() => readNpmAudit({ status: 1, stdout: '{}', stderr: 'npm error code ENOLOCK' })).toThrow('ENOLOCK')
  })
})

describe('the report', () => {
  const said = (audit: Audit, mustAnswer = false) => {
    const lines: string[] = []
    return [report(new Map([['it', audit]]), mustAnswer, (line) => lines.push(line)), ...lines]
  }
  it('fails for what is known, and for silence only where an answer is a must', () => {
    expect(said({ kind: 'answered', findings: [] })).toEqual([0, 'ok: it: nothing high or critical is known'])
    expect(said({ kind: 'answered', findings: [of('a', 'high')] })).toEqual([
      ...[1, 'high: a: trouble in a https://example.org/1', 'FAILED: it'],
    ])
    expect(said({ kind: 'unanswered', reason: 'ENOTFOUND' })).toEqual([0, 'skipped: it: the registry has no answer (ENOTFOUND)'])
    expect(said({ kind: 'unanswered', reason: 'ENOTFOUND' }, true)[0]).toBe(1)
  })
})
