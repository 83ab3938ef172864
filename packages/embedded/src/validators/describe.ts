/** Values and validators as text, for error messages. */
import { displayNumber, displayValue, sortedEntries } from '../values/display.ts'
import { numberOf, typeOf, type Json } from '../values/json.ts'
import type { ValidatorJson } from './validate.ts'

const LONGEST_VALUE = 16_384 // characters of a value printed in an error, as in the client library; a document can have a million

export function describeValue(value: Json): string {
  const text = displayValue(value)
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}[...truncated]` : text
}

export function describeValidator(validator: ValidatorJson): string {
  switch (validator.type) {
    case 'number':
      return 'v.float64()'
    case 'bigint':
      return 'v.int64()'
    case 'literal':
      return `v.literal(${describeLiteral(validator.value)})`
    case 'id':
      return `v.id(${JSON.stringify(validator.tableName)})`
    case 'array':
      return `v.array(${describeValidator(validator.value)})`
    case 'record':
      return `v.record(${describeValidator(validator.keys)}, ${describeValidator(validator.values.fieldType)})`
    case 'union':
      return `v.union(${validator.value.map(describeValidator).join(', ')})`
    case 'object': {
      const fields = sortedEntries(validator.value).map(([name, { fieldType, optional }]) => {
        const inner = describeValidator(fieldType)
        return `${name}: ${optional ? `v.optional(${inner})` : inner}`
      })
      return `v.object({${fields.join(', ')}})`
    }
    default:
      return `v.${validator.type}()`
  }
}

/** As JSON where JSON has it. */
export function describeLiteral(value: Json): string {
  if (typeOf(value) === 'bigint') return '<bigint>'
  if (typeOf(value) !== 'number') return JSON.stringify(value)
  const number = numberOf(value)
  return Number.isFinite(number) ? displayNumber(number) : '<number>'
}
