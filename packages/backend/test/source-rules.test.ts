/**
 * Rules of the functions' source that no type and no behaviour shows, read from the syntax tree: reads are indexed and bounded, and
 * time comes from one file. Each rule is tried on a planted violation too.
 */
import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { convexFolder, functionModules } from '../src/modules.ts'

interface Source {
  readonly path: string
  readonly text: string
}
const sources: readonly Source[] = functionModules().map((path) => ({
  path,
  text: readFileSync(`${convexFolder}/${path}.ts`, 'utf8'),
}))

/** Findings as `path:line what`. */
type Rule = (source: Source) => string[]

function walk({ path, text }: Source, visit: (node: ts.Node, report: (what: string) => void) => void): string[] {
  const file = ts.createSourceFile(`${path}.ts`, text, ts.ScriptTarget.ESNext, true)
  const found: string[] = []
  const go = (node: ts.Node) => {
    visit(node, (what) => found.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${what}`))
    node.forEachChild(go)
  }
  go(file)
  return found
}

/** The name of the method that is called, and what it is called on. */
function calledMethod(node: ts.Node): { name: string; on: ts.Expression } | null {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return null
  return { name: node.expression.name.text, on: node.expression.expression }
}

/** Methods of a chain, from the outside in; empty unless it begins with `<something>.db.query(...)`. */
function queryChain(node: ts.Node): string[] {
  const names: string[] = []
  for (let at: ts.Node = node; ;) {
    const called = calledMethod(at)
    if (!called) return []
    names.push(called.name)
    if (called.name === 'query') return /(?:^|\.)db$/.test(called.on.getText()) ? names : []
    at = called.on
  }
}

/** The outermost call of the chain that begins with this `db.query(...)`. */
function wholeChain(node: ts.Node): ts.Node {
  let at = node
  while (ts.isPropertyAccessExpression(at.parent) && ts.isCallExpression(at.parent.parent)) at = at.parent.parent
  return at
}

const isQuery = (node: ts.Node) => calledMethod(node)?.name === 'query' && queryChain(node).length === 1

/** Over all accounts, a page at a time, by a cron: creation order is the index. */
const WALKS_WHOLE_TABLES = ['model/audit']

const indexedReads: Rule = (source) =>
  walk(source, (node, report) => {
    if (!isQuery(node)) return
    const chain = queryChain(wholeChain(node))
    const paged = WALKS_WHOLE_TABLES.includes(source.path) && chain.includes('paginate')
    const indexed = chain.some(isIndex) || usedWithIndex(wholeChain(node))
    if (!indexed && !paged) report('reads without an index')
  })

const isIndex = (name: string): boolean => name === 'withIndex' || name === 'withSearchIndex'

/** `const rows = ctx.db.query(...)`, or a function that returns one, each use of which chooses an index. */
function usedWithIndex(chain: ts.Node): boolean {
  const declaration = ts.isArrowFunction(chain.parent) ? chain.parent.parent : chain.parent
  if (!ts.isVariableDeclaration(declaration) || !ts.isIdentifier(declaration.name)) return false
  const { name } = declaration
  const uses: boolean[] = []
  const go = (node: ts.Node) => {
    if (ts.isIdentifier(node) && node.text === name.text && node !== name) {
      const used = ts.isCallExpression(node.parent) ? node.parent.parent : node.parent
      uses.push(ts.isPropertyAccessExpression(used) && isIndex(used.name.text))
    }
    node.forEachChild(go)
  }
  // The block around the statement.
  go(declaration.parent.parent.parent)
  return uses.length > 0 && uses.every(Boolean)
}

const noFilter: Rule = (source) =>
  walk(source, (node, report) => {
    if (queryChain(node)[0] === 'filter') report('filters rows it has read')
  })

const boundedReads: Rule = (source) =>
  walk(source, (node, report) => {
    if (calledMethod(node)?.name === 'collect') report('collects without a bound')
  })

/** Everything in convex/ but the one file. Parsing and formatting a given time are pure. */
const noClock: Rule = (source) =>
  source.path === 'lib/clock'
    ? []
    : walk(source, (node, report) => {
        const text = node.getText()
        const read = ts.isPropertyAccessExpression(node) && ['Date.now', 'Math.random', 'performance.now'].includes(text)
        const made = ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0
        if (read || made) report(`reads ${text.slice(0, 20)}`)
      })

const noAny: Rule = (source) =>
  walk(source, (node, report) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) report('says any')
  })

/** Activities are history. */
const MAY_REMOVE_ACTIVITIES = ['model/retentionSteps', 'model/accountRemoval', 'model/accountTables']
const activitiesStay: Rule = (source) => {
  if (MAY_REMOVE_ACTIVITIES.includes(source.path)) return []
  const reads = source.text.includes("query('activities')")
  return walk(source, (node, report) => {
    const called = calledMethod(node)
    if (!called || !/(?:^|\.)db$/.test(called.on.getText())) return
    if (called.name === 'insert' && node.getText().includes("'activities'") && source.path !== 'model/activity')
      report('records an activity past recordActivity')
    const names = ts.isCallExpression(node) ? (node.arguments[0]?.getText() ?? '') : ''
    if (reads && ['patch', 'replace', 'delete'].includes(called.name) && /activit/i.test(names)) report('changes an activity')
  })
}

const RULES: readonly (readonly [string, Rule, violation: string])[] = [
  ['every read has an index', indexedReads, "ctx.db.query('tasks').order('desc').take(5)"],
  ['every read has an index, also through a name', indexedReads, "const rows = ctx.db.query('tasks'); return rows.take(5)"],
  ['no query filters', noFilter, "ctx.db.query('tasks').withIndex('x').filter((q) => true).take(5)"],
  ['nothing is collected without a bound', boundedReads, "ctx.db.query('tasks').withIndex('x').collect()"],
  ['time and randomness come from lib/clock.ts', noClock, 'const at = Date.now()'],
  ['time and randomness come from lib/clock.ts, also as dates', noClock, 'const at = new Date()'],
  ['nothing is any', noAny, 'const row = value as any'],
  ['nothing writes activities but recordActivity', activitiesStay, "ctx.db.insert('activities', row)"],
  [
    'nothing changes or removes activities but retention and the removal of an account',
    activitiesStay,
    "const activity = await ctx.db.query('activities').withIndex('x').first(); await ctx.db.patch(activity._id, {})",
  ],
]

describe('the source of the functions', () => {
  it.each(RULES)('%s', (_name, rule, violation) => {
    expect(sources.flatMap(rule)).toEqual([])
    expect(rule({ path: 'model/planted', text: `export async function f(ctx) { ${violation} }` })).toHaveLength(1)
  })

  it('no query reads the clock, also not through what it calls', () => {
    expect(clockReaders(sources)).toEqual([])
    const planted = [
      {
        path: 'planted',
        text: "import { age } from './model/age.js'\nexport const get = memberQuery('member')({ handler: () => age() })",
      },
      { path: 'model/age', text: "import { now } from '../lib/clock.js'\nexport const age = () => now() - 1" },
    ]
    expect(clockReaders(planted)).toEqual(['planted:get'])
  })
})

/** Exported queries from which a call of `now` or `random` of lib/clock.ts can be reached, by names across imports. */
function clockReaders(all: readonly Source[]): string[] {
  const uses = new Map<string, Set<string>>()
  const queries: string[] = []
  for (const { path, text } of all) {
    const file = ts.createSourceFile(`${path}.ts`, text, ts.ScriptTarget.ESNext, true)
    const imported = new Map<string, string>()
    for (const node of file.statements) {
      if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) continue
      const from = resolve(path, node.moduleSpecifier.text)
      const bindings = node.importClause?.namedBindings
      if (from === null || node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword || !bindings) continue
      if (ts.isNamespaceImport(bindings)) imported.set(bindings.name.text, `${from}:*`)
      else for (const one of bindings.elements) imported.set(one.name.text, `${from}:${(one.propertyName ?? one.name).text}`)
    }
    for (const [name, node] of declarations(file)) {
      const used = new Set<string>()
      const go = (inner: ts.Node) => {
        if (ts.isIdentifier(inner) && !(ts.isPropertyAccessExpression(inner.parent) && inner.parent.name === inner)) {
          const target = imported.get(inner.text)
          if (target?.endsWith(':*') && ts.isPropertyAccessExpression(inner.parent))
            used.add(target.replace('*', inner.parent.name.text))
          else if (target) used.add(target)
          else used.add(`${path}:${inner.text}`)
        }
        inner.forEachChild(go)
      }
      go(node)
      used.delete(`${path}:${name}`)
      uses.set(`${path}:${name}`, used)
      if (/^(?:member|user|service|internal)Query\b/.test(initializerOf(node))) queries.push(`${path}:${name}`)
    }
  }
  const reaches = (from: string): boolean => {
    const seen = new Set<string>([from])
    for (const at of seen) {
      if (at === 'lib/clock:now' || at === 'lib/clock:random') return true
      for (const next of uses.get(at) ?? []) seen.add(next)
    }
    return false
  }
  if (queries.length === 0) throw new Error('No queries found: the builders have other names.')
  return queries.filter(reaches).sort()
}

const initializerOf = (node: ts.Node): string => (ts.isVariableDeclaration(node) ? (node.initializer?.getText() ?? '') : '')

function* declarations(file: ts.SourceFile): Generator<[string, ts.Node]> {
  for (const node of file.statements) {
    if (ts.isFunctionDeclaration(node) && node.name) yield [node.name.text, node]
    if (!ts.isVariableStatement(node)) continue
    for (const one of node.declarationList.declarations) if (ts.isIdentifier(one.name)) yield [one.name.text, one]
  }
}

/** Path of a module of convex/, or `null` for what lies elsewhere. */
function resolve(from: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null
  const parts = from.split('/').slice(0, -1)
  for (const part of specifier.replace(/\.js$/, '').split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
