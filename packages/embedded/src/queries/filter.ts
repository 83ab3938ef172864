/** Filter expressions over encoded documents. Comparison is the total order of values, the one the index keys have. */
import { FunctionError } from '../errors.ts'
import { displayValue, typeName } from '../values/display.ts'
import { bigintOf, fieldAt, isObject, isUndefinedMarker, numberOf, typeOf, type Json } from '../values/json.ts'
import { encodeKey } from '../values/keys.ts'
import { fieldPathProblem } from '../values/names.ts'

type Value = Json | undefined

/** What each arithmetic operator does in an error. */
const VERBS = { $add: 'add', $sub: 'subtract', $mul: 'multiply', $div: 'divide', $mod: 'mod' } as const
type Arithmetic = keyof typeof VERBS
const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  $eq: (order) => order === 0,
  $neq: (order) => order !== 0,
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
}

/** Throws when the expression could not be evaluated on any document: an unknown operator, a field that cannot exist. */
export function checkExpression(expression: Json, syscall: string): void {
  const [operator, operand] = parts(expression)
  if (operator === '$literal') return
  if (operator === '$field') {
    const problem = typeof operand === 'string' ? fieldPathProblem(operand) : 'expected a path'
    if (problem) throw new FunctionError(`Invalid argument \`query\` for \`${syscall}\`: ${problem}`)
    return
  }
  if (operator === '$neg' || operator === '$not') return checkExpression(operand, syscall)
  const count = operator in COMPARISONS || operator in VERBS ? 2 : operator === '$and' || operator === '$or' ? null : undefined
  if (count === undefined || !Array.isArray(operand) || (count !== null && operand.length !== count)) throw malformed(expression)
  for (const part of operand) checkExpression(part, syscall)
}

export function evaluate(expression: Json, document: Json): Value {
  const [operator, operand] = parts(expression)
  const compared = COMPARISONS[operator]
  if (compared) {
    const [left, right] = (operand as Json[]).map((part) => evaluate(part, document))
    return compared(compare(left, right))
  }
  if (operator in VERBS) {
    const [left, right] = (operand as Json[]).map((part) => evaluate(part, document))
    return arithmetic(operator as Arithmetic, left, right)
  }
  switch (operator) {
    case '$field':
      return fieldAt(document, operand as string)
    case '$literal':
      return isUndefinedMarker(operand) ? undefined : operand
    case '$and':
      return (operand as Json[]).every((part) => toBoolean(evaluate(part, document)))
    case '$or':
      return (operand as Json[]).some((part) => toBoolean(evaluate(part, document)))
    case '$not':
      return !toBoolean(evaluate(operand, document))
    case '$neg':
      return negated(evaluate(operand, document))
    default:
      throw malformed(expression)
  }
}

/** Whether a document passes. A filter that is neither true nor false for a document fails the query. */
export function passes(expression: Json, document: Json): boolean {
  return toBoolean(evaluate(expression, document))
}

export function compare(left: Value, right: Value): number {
  return encodeKey([left]).compare(encodeKey([right]))
}

function parts(expression: Json): [string, Json] {
  const entries = isObject(expression) ? Object.entries(expression) : []
  if (entries.length !== 1) throw malformed(expression)
  return entries[0]!
}

function toBoolean(value: Value): boolean {
  if (typeof value === 'boolean') return value
  throw new FunctionError(`Cannot use value ${displayValue(value)} (type ${typeName(value)}) as a Boolean`)
}

function negated(value: Value): Json {
  if (value !== undefined && typeOf(value) === 'bigint') return encodeBigint(-bigintOf(value), 'negate')
  if (value !== undefined && typeOf(value) === 'number') return encodeNumber(-numberOf(value))
  throw new FunctionError(`Cannot negate ${displayValue(value)} (type ${typeName(value)})`)
}

function arithmetic(operator: Arithmetic, left: Value, right: Value): Json {
  if (left !== undefined && right !== undefined) {
    if (typeOf(left) === 'bigint' && typeOf(right) === 'bigint')
      return encodeBigint(bigints(operator, bigintOf(left), bigintOf(right)), VERBS[operator])
    if (typeOf(left) === 'number' && typeOf(right) === 'number')
      return encodeNumber(numbers(operator, numberOf(left), numberOf(right)))
  }
  throw new FunctionError(
    `Cannot ${VERBS[operator]} ${displayValue(left)} (type ${typeName(left)}) and ${displayValue(right)} (type ${typeName(right)})`,
  )
}

function numbers(operator: Arithmetic, a: number, b: number): number {
  return { $add: a + b, $sub: a - b, $mul: a * b, $div: a / b, $mod: a % b }[operator]
}

function bigints(operator: Arithmetic, a: bigint, b: bigint): bigint {
  if ((operator === '$div' || operator === '$mod') && b === 0n) throw new FunctionError(`Cannot ${VERBS[operator]} ${a} by zero`)
  if (operator === '$add') return a + b
  if (operator === '$sub') return a - b
  if (operator === '$mul') return a * b
  return operator === '$div' ? a / b : a % b
}

function encodeBigint(value: bigint, verb: string): Json {
  if (BigInt.asIntN(64, value) !== value) throw new FunctionError(`Cannot ${verb}: the result ${value} does not fit into 64 bits`)
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return { $integer: bytes.toString('base64') }
}

function encodeNumber(value: number): Json {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return { $float: bytes.toString('base64') }
}

function malformed(expression: Json): FunctionError {
  return new FunctionError(`Malformed filter expression: ${JSON.stringify(expression)}`)
}
