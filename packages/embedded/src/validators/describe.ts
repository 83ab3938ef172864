/** Values and validators as text, for error messages. */
import { bigintOf, numberOf, typeOf, type Json, type JsonObject } from '../values/json.ts'
import type { ValidatorJson } from './validate.ts'

const LONGEST_VALUE = 1_000 // characters of a value printed in an error

export function describeValue(value: Json): string {
  const text = render(value)
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...` : text
}

function render(value: Json): string {
  switch (typeOf(value)) {
    case 'bigint':
      return `${bigintOf(value)}n`
    case 'number': {
      const number = numberOf(value)
      return Number.isInteger(number) && Math.abs(number) < 1e21 ? `${number}.0` : String(number)
    }
    case 'bytes':
      return `b"${(value as { $bytes: string }).$bytes}"`
    case 'array':
      return `[${(value as Json[]).map(render).join(', ')}]`
    case 'object':
      return `{${Object.entries(value as JsonObject)
        .map(([field, child]) => `${field}: ${render(child)}`)
        .join(', ')}}`
    default:
      return JSON.stringify(value)
  }
}

export function describeValidator(validator: ValidatorJson): string {
  switch (validator.type) {
    case 'number':
      return 'v.float64()'
    case 'bigint':
      return 'v.int64()'
    case 'literal':
      return `v.literal(${render(validator.value)})`
    case 'id':
      return `v.id(${JSON.stringify(validator.tableName)})`
    case 'array':
      return `v.array(${describeValidator(validator.value)})`
    case 'record':
      return `v.record(${describeValidator(validator.keys)}, ${describeValidator(validator.values.fieldType)})`
    case 'union':
      return `v.union(${validator.value.map(describeValidator).join(', ')})`
    case 'object': {
      const fields = Object.entries(validator.value).map(([name, { fieldType, optional }]) => {
        const inner = describeValidator(fieldType)
        return `${name}: ${optional ? `v.optional(${inner})` : inner}`
      })
      return `v.object({${fields.join(', ')}})`
    }
    default:
      return `v.${validator.type}()`
  }
}
