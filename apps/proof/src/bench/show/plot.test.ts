import { describe, expect, it } from 'vitest'
import { latencyPlot } from './plot.ts'

const ours = { name: 'ours', color: '#00f', values: Array.from({ length: 100 }, (_, n) => 2 + n / 10) }
const plain = { name: 'plain <poll>', color: '#f00', values: Array.from({ length: 100 }, (_, n) => 50 * (n + 1)) }
const pointsOf = (svg: string, color: string) =>
  (new RegExp(`stroke="${color}"[^>]*points="([^"]*)"`).exec(svg)?.[1] ?? '')
    .split(' ')
    .map((pair) => pair.split(',').map(Number))

describe('the plot of latencies', () => {
  const svg = latencyPlot('Title', 'caption', [ours, plain])

  it('draws a line for each, from its fastest to its slowest, upwards and to the right', () => {
    for (const { color } of [ours, plain]) {
      const points = pointsOf(svg, color)
      expect(points).toHaveLength(201)
      for (const [n, [x = NaN, y = NaN]] of points.entries()) {
        const [before = x, below = y] = points[n - 1] ?? []
        expect(x).toBeGreaterThanOrEqual(before)
        expect(y).toBeLessThanOrEqual(below)
      }
    }
  })

  it('has a logarithmic scale: the same factor is the same distance anywhere', () => {
    const at = (ms: number) => pointsOf(latencyPlot('t', 'c', [{ ...ours, values: [1, ms, 1_000] }]), '#00f')[100]?.[0] ?? NaN
    expect(at(100) - at(10)).toBeCloseTo(at(10) - at(1), 0)
  })

  it('says the median and p99, and keeps texts from becoming markup', () => {
    expect(svg).toContain('ours: median 6.9 ms, p99 12 ms (100)')
    expect(svg).toContain('plain &lt;poll&gt;: median 2.5 s')
    expect(svg).not.toContain('<poll>')
  })

  it('refuses to draw nothing', () => expect(() => latencyPlot('t', 'c', [{ ...ours, values: [] }])).toThrow('nothing to draw'))
})
