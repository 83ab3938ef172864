/** Filter expressions over encoded documents. Comparison is the total order of values, the one the index keys have. */
import { FunctionError } from '../errors.ts'
import { bigintOf, fieldAt, isObject, isUndefinedMarker, numberOf, typeOf, type Json } from '../values/json.ts'
import { encodeKey } from '../values/keys.ts'

type Value = Json | undefined

export function evaluate(expression: Json, document: Json): Value {
  if (!isObject(expression)) throw malformed(expression)
  const [operator, operand] = Object.entries(expression)[0] ?? []
  if (operator === undefined || operand === undefined) throw malformed(expression)
  const evaluated = (): Value[] => (operand as Json[]).map((part) => evaluate(part, document))
  const compared = () => {
    const [left, right] = evaluated()
    return compare(left, right)
  }
  switch (operator) {
    case '$field':
      return fieldAt(document, operand as string)
    case '$literal':
      return isUndefinedMarker(operand) ? undefined : operand
    case '$eq':
      return compared() === 0
    case '$neq':
      return compared() !== 0
    case '$lt':
      return compared() < 0
    case '$lte':
      return compared() <= 0
    case '$gt':
      return compared() > 0
    case '$gte':
      return compared() >= 0
    case '$and':
      return (operand as Json[]).every((part) => boolean(evaluate(part, document), operator))
    case '$or':
      return (operand as Json[]).some((part) => boolean(evaluate(part, document), operator))
    case '$not':
      return !boolean(evaluate(operand, document), operator)
    case '$neg':
      return arithmetic('$sub', 0, evaluate(operand, document), true)
    case '$add':
    case '$sub':
    case '$mul':
    case '$div':
    case '$mod': {
      const [left, right] = evaluated()
      return arithmetic(operator, left, right)
    }
    default:
      throw malformed(expression)
  }
}

/** Whether a document passes: only `true` does, as in Convex. */
export function passes(expression: Json, document: Json): boolean {
  return evaluate(expression, document) === true
}

export function compare(left: Value, right: Value): number {
  return encodeKey([left]).compare(encodeKey([right]))
}

function boolean(value: Value, operator: string): boolean {
  if (typeof value !== 'boolean') throw new FunctionError(`Expected a boolean inside \`${operator}\` of a filter expression`)
  return value
}

function arithmetic(operator: string, left: Value, right: Value, negate = false): Json {
  if (right === undefined || left === undefined)
    throw new FunctionError(`Cannot compute \`${operator}\` of an absent field in a filter`)
  if (typeOf(right) === 'bigint' && (negate || typeOf(left) === 'bigint')) {
    return encodeBigint(bigints(operator, negate ? 0n : bigintOf(left), bigintOf(right)))
  }
  if (typeOf(left) === 'number' && typeOf(right) === 'number') {
    const value = negate ? -numberOf(right) : numbers(operator, numberOf(left), numberOf(right))
    return encodeNumber(value)
  }
  throw new FunctionError(`Cannot compute \`${operator}\` of a ${typeOf(left)} and a ${typeOf(right)} in a filter`)
}

function numbers(operator: string, a: number, b: number): number {
  return { $add: a + b, $sub: a - b, $mul: a * b, $div: a / b, $mod: a % b }[operator]!
}

function bigints(operator: string, a: bigint, b: bigint): bigint {
  if ((operator === '$div' || operator === '$mod') && b === 0n) throw new FunctionError('Division by zero in a filter')
  const result =
    operator === '$add' ? a + b : operator === '$sub' ? a - b : operator === '$mul' ? a * b : operator === '$div' ? a / b : a % b
  if (BigInt.asIntN(64, result) !== result) throw new FunctionError('Integer overflow in a filter')
  return result
}

function encodeBigint(value: bigint): Json {
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
