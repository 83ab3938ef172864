/** From the range of an index query to an interval of keys. Refuses what Convex refuses, in its words. */
import { FunctionError } from '../errors.ts'
import type { IndexInfo } from '../storage/catalog.ts'
import { displayValue } from '../values/display.ts'
import type { Json } from '../values/json.ts'
import { afterPrefix, encodeKey } from '../values/keys.ts'

export type RangeExpression = { type: 'Eq' | 'Gt' | 'Gte' | 'Lt' | 'Lte'; fieldPath: string; value: Json }

const COMPARATORS = { Eq: '==', Gt: '>', Gte: '>=', Lt: '<', Lte: '<=' } as const
const DOCS = 'For more information see https://docs.convex.dev/using/indexes.'

/** Equalities on a prefix of the fields, written in any order, then bounds on the next field. */
export function intervalOf(index: IndexInfo, range: readonly RangeExpression[]): { low: Buffer; high: Buffer } {
  const { equal, lower, upper } = split(index, range)
  checkFields(index, equal, (lower ?? upper)?.fieldPath)
  const prefix = encodeKey(index.fields.slice(0, equal.size).map((field) => equal.get(field)))
  const at = (bound: RangeExpression) => Buffer.concat([prefix, encodeKey([bound.value])])
  return {
    low: !lower ? prefix : lower.type === 'Gte' ? at(lower) : afterPrefix(at(lower)),
    high: !upper ? afterPrefix(prefix) : upper.type === 'Lt' ? at(upper) : afterPrefix(at(upper)),
  }
}

interface Split {
  equal: Map<string, Json>
  lower: RangeExpression | undefined
  upper: RangeExpression | undefined
}

function split(index: IndexInfo, range: readonly RangeExpression[]): Split {
  const found: Split = { equal: new Map(), lower: undefined, upper: undefined }
  for (const expression of range) {
    const { type, fieldPath, value } = expression
    if (type === 'Eq') {
      if (found.equal.has(fieldPath)) throw defined('equality', expression, found.equal.get(fieldPath)!)
      found.equal.set(fieldPath, value)
      continue
    }
    const side = type === 'Gt' || type === 'Gte' ? 'lower' : 'upper'
    if (found[side]) throw defined(side, expression, value)
    const other = found.lower ?? found.upper
    if (other && other.fieldPath !== fieldPath)
      throw new FunctionError(
        `Upper and lower bounds in \`range\` can only be applied to a single index field. This query against index ${index.name} attempted to set a range bound on both "${other.fieldPath}" and "${fieldPath}". Consider using \`filter\` instead. See https://docs.convex.dev/using/indexes for more info.`,
      )
    found[side] = expression
  }
  const bounded = (found.lower ?? found.upper)?.fieldPath
  if (bounded !== undefined && found.equal.has(bounded))
    throw defined('inequality', { type: 'Eq', fieldPath: bounded }, found.equal.get(bounded)!)
  return found
}

function defined(bound: string, { type, fieldPath }: Pick<RangeExpression, 'type' | 'fieldPath'>, value: Json): FunctionError {
  return new FunctionError(
    `Already defined ${bound} bound in index range. Can't add "${fieldPath}" ${COMPARATORS[type]} ${displayValue(value)}.`,
  )
}

/** Every field must be the index's, and together they must be its first ones. */
function checkFields(index: IndexInfo, equal: ReadonlyMap<string, Json>, bounded: string | undefined): void {
  const list = (fields: readonly string[]) => `[${fields.map((field) => `"${field}"`).join(', ')}]`
  const named = index.fields.filter((field) => field !== '_id') // its place at the end goes without saying
  const used = [...equal.keys()].sort((a, b) => index.fields.indexOf(a) - index.fields.indexOf(b))
  if (bounded !== undefined) used.push(bounded)
  const foreign = used.find((field) => !index.fields.includes(field))
  if (foreign !== undefined)
    throw new FunctionError(
      `The index range included a comparison with "${foreign}", but ${index.name} with fields ${list(named)} doesn't index this field. ${DOCS}`,
    )
  const wrong = used.find((field, at) => index.fields[at] !== field)
  if (wrong !== undefined)
    throw new FunctionError(
      `Tried to query index ${index.name} but the query didn't use the index fields in order.\nIndex fields: ${list(named)}\nQuery fields: ${list(used)}\nFirst incorrect field: "${wrong}"\n${DOCS}`,
    )
}
