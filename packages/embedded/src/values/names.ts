/** Which names tables, indexes, validators' fields, paths and object fields may have. Each function tells what is wrong, or null. */
const LONGEST_IDENTIFIER = 64
const LONGEST_FIELD_NAME = 1_024
const FIRST_PRINTABLE = 0x20 // ' '
const LAST_PRINTABLE = 0x7e // '~'

/** Tables, indexes, and every part of a path to a field. */
export function identifierProblem(name: string): string | null {
  const [first] = name
  if (first === undefined) return 'Identifier cannot be empty'
  if (!/^[a-zA-Z_]$/.test(first))
    return `Invalid first character '${first}' in ${name}: Identifiers must start with an alphabetic character or underscore`
  for (const char of name) {
    if (!/^[a-zA-Z0-9_]$/.test(char))
      return `Identifier ${name} has invalid character '${char}': Identifiers can only contain alphanumeric characters or underscores`
  }
  if (name.length > LONGEST_IDENTIFIER) return `Identifier is too long (${name.length} > maximum ${LONGEST_IDENTIFIER})`
  return /^_+$/.test(name) ? `Identifier ${name} cannot have exclusively underscores` : null
}

/** Fields of objects in values. */
export function fieldNameProblem(name: string): string | null {
  if (name === '') return 'Field name cannot be empty'
  if (name.startsWith('$')) return `Field name ${name} starts with '$', which is reserved.`
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code >= FIRST_PRINTABLE && code <= LAST_PRINTABLE) continue
    const char = String.fromCodePoint(name.codePointAt(at)!)
    return `Field name ${name} has invalid character '${char}': Field names can only contain non-control ASCII characters`
  }
  return name.length > LONGEST_FIELD_NAME ? `Field name is too long (${name.length} > maximum ${LONGEST_FIELD_NAME})` : null
}

/** Dotted paths in indexes and filters. */
export function fieldPathProblem(path: string): string | null {
  if (path === '') return 'Empty path '
  for (const part of path.split('.')) {
    const problem = identifierProblem(part)
    if (problem) return problem
  }
  return null
}
