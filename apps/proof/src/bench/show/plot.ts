/** The distribution of the latencies as a picture: what share of the messages was accepted within a time, on a logarithmic scale. Pure. */
import { percentile } from '@mission-control/host/numbers'

export interface Series {
  readonly name: string
  /** Of a line, as SVG takes it. */
  readonly color: string
  /** Milliseconds. */
  readonly values: readonly number[]
}

const WIDTH = 760
const HEIGHT = 380
const PLOT = { left: 56, right: 24, top: 48, bottom: 52 } as const
/** Steps of a line: more than the picture has room for would only make the file larger. */
const STEPS = 200
const LEAST_MS = 0.1

/** @param caption one line under the title: date, machine, load */
export function latencyPlot(title: string, caption: string, series: readonly Series[]): string {
  const all = series.flatMap(({ values }) => values)
  if (all.length === 0) throw new Error('There is nothing to draw.')
  const from = Math.floor(Math.log10(Math.max(LEAST_MS, Math.min(...all))))
  const to = Math.ceil(Math.log10(Math.max(...all)))
  const x = (ms: number) =>
    PLOT.left + ((Math.log10(Math.max(ms, 10 ** from)) - from) / Math.max(1, to - from)) * (WIDTH - PLOT.left - PLOT.right)
  const y = (share: number) => HEIGHT - PLOT.bottom - share * (HEIGHT - PLOT.top - PLOT.bottom)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(PLOT.left, 20, title, 'font-size="15" font-weight="600"'),
    text(PLOT.left, 37, caption, 'fill="#57606a"'),
    ...decades(from, to).flatMap((ms) => [
      line(x(ms), y(0), x(ms), y(1), '#e5e7eb'),
      text(x(ms), y(0) + 18, milliseconds(ms), 'text-anchor="middle" fill="#57606a"'),
    ]),
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      line(x(10 ** from), y(share), x(10 ** to), y(share), '#e5e7eb'),
      text(PLOT.left - 8, y(share) + 4, `${share * 100} %`, 'text-anchor="end" fill="#57606a"'),
    ]),
    text(
      (PLOT.left + WIDTH - PLOT.right) / 2,
      HEIGHT - 12,
      'time from commit to accepted (logarithmic)',
      'text-anchor="middle" fill="#57606a"',
    ),
    ...series.flatMap((one, n) => [
      `<polyline fill="none" stroke="${one.color}" stroke-width="2" points="${curve(one.values, x, y)}"/>`,
      text(
        PLOT.left + 12,
        PLOT.top + 20 + n * 18,
        `${one.name}: median ${milliseconds(percentile(one.values, 0.5))}, p99 ${milliseconds(percentile(one.values, 0.99))} (${one.values.length})`,
        `fill="${one.color}" font-weight="600"`,
      ),
    ]),
    '</svg>',
    '',
  ].join('\n')
}

/** From the fastest to the slowest, by share. */
function curve(values: readonly number[], x: (ms: number) => number, y: (share: number) => number): string {
  const points = Array.from({ length: STEPS + 1 }, (_, n) => {
    const share = n / STEPS
    return `${x(percentile(values, share)).toFixed(1)},${y(share).toFixed(1)}`
  })
  return points.join(' ')
}

const decades = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => 10 ** (from + n))

/** Two digits are as many as such a figure deserves. */
function milliseconds(ms: number): string {
  if (ms >= 1_000) return `${Number((ms / 1_000).toPrecision(2))} s`
  return `${Number(ms.toPrecision(2))} ms`
}

const line = (x1: number, y1: number, x2: number, y2: number, color: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${color}"/>`

const text = (x: number, y: number, content: string, attributes: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`

const escaped = (content: string): string => content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
