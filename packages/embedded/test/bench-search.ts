/**
 * The numbers of search in the README: `node packages/embedded/test/bench-search.ts [documents]`. Texts are made of words whose
 * frequencies fall off as in a language (Zipf); one word is in every text. The disk is whatever the temporary folder is on.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedConvex } from '../src/index.ts'
import { functions } from './fixtures/notes.ts'
import { createTestRandom } from './fixtures/random.ts'

const DOCUMENTS = Number(process.argv[2] ?? 1_000)
const WORDS_PER_TEXT = 30
const VOCABULARY = 20_000
const PROJECTS = 50
const ROUNDS = 20
const RUNNING_BEFORE_MEASURE = 3

const random = createTestRandom(1)
const folder = await mkdtemp(join(tmpdir(), 'embedded-bench-'))
const backend = await createEmbeddedConvex({ functions, dataDir: folder })

/** A word by its rank: "aa" is the most frequent one. Its letters are those of its rank, so that beginnings meet many words. */
function word(rank: number): string {
  let letters = ''
  for (let rest = rank + 26; rest > 0; rest = Math.floor(rest / 26)) letters += String.fromCharCode(97 + (rest % 26))
  return letters
}
const text = (n: number): string =>
  [`everywhere id${n}`, ...Array.from({ length: WORDS_PER_TEXT - 2 }, () => word(Math.floor(VOCABULARY ** random.next())))].join(
    ' ',
  )

async function measure(name: string, args: Record<string, unknown>): Promise<void> {
  const times: number[] = []
  let found = 0
  for (let round = 0; round < ROUNDS + RUNNING_BEFORE_MEASURE; round++) {
    const start = performance.now()
    found = ((await backend.query('notes:search', args)) as unknown[]).length
    if (round >= RUNNING_BEFORE_MEASURE) times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => `${times[Math.floor((times.length - 1) * share)]!.toFixed(1)} ms`
  console.log(`${name.padEnd(52)} p50 ${at(0.5).padStart(9)}  worst ${at(1).padStart(9)}  (${found} shown)`)
}

const size = async () => (await stat(join(folder, 'convex.sqlite'))).size
const start = performance.now()
for (let done = 0; done < DOCUMENTS; done += 1_000) {
  await backend.run(async (ctx) => {
    for (let n = done; n < Math.min(done + 1_000, DOCUMENTS); n++)
      await ctx.db.insert('notes', { body: text(n), project: `p${n % PROJECTS}` })
  })
}
console.log(`${DOCUMENTS} documents loaded, ${Math.round((DOCUMENTS / (performance.now() - start)) * 1_000)}/s`)

const take = 20
const project: [string, unknown][] = [['project', 'p7']]
await measure('one rare word', { text: `id${Math.floor(DOCUMENTS / 2)}`, take })
await measure('the most frequent ordinary word', { text: word(1), take })
await measure('a word of every text', { text: 'everywhere', take })
await measure('a word of every text, one project of 50', { text: 'everywhere', equal: project, take })
await measure('three words and a beginning', { text: `${word(40)} ${word(900)} ${word(5_000)} ab`, take })
await measure('three words and a beginning, one project of 50', {
  text: `${word(40)} ${word(900)} ${word(5_000)} ab`,
  equal: project,
  take,
})
const frequent = ['everywhere', ...Array.from({ length: 14 }, (_, n) => word(n + 1)), 'b'].join(' ')
await measure('sixteen frequent words', { text: frequent, take })
await measure('sixteen frequent words, one project of 50', { text: frequent, equal: project, take })
await measure('one letter', { text: 'b', take })
await measure('one letter, one project of 50', { text: 'b', equal: project, take })
await measure('a word of every text, 1,000 results', { text: 'everywhere', take: Math.min(1_000, DOCUMENTS) })

const inserts = performance.now()
const INSERTS = 300
for (let n = 0; n < INSERTS; n++) await backend.mutation('notes:write', { body: text(DOCUMENTS + n), project: 'p1' })
console.log(`insert, 1 caller: ${Math.round((INSERTS / (performance.now() - inserts)) * 1_000)}/s`)
await backend.close()
console.log(
  `database ${Math.round((await size()) / 1024 / 1024)} MiB, RSS ${Math.round(process.memoryUsage().rss / 1024 / 1024)} MB`,
)
await rm(folder, { recursive: true })
