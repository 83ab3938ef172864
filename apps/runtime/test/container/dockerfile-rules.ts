/** What we ask of our Dockerfile, as one sentence for each thing that is wrong. */
import {
  DockerfileParser,
  type Arg,
  type Cmd,
  type Copy,
  type Dockerfile,
  type Entrypoint,
  type Healthcheck,
} from 'dockerfile-ast'
import { ValidationSeverity, validate } from 'dockerfile-utils'

const SECRET = /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY($|_)/i

export function problemsIn(text: string): string[] {
  const file = DockerfileParser.parse(text)
  const found = validate(text)
    .filter(({ severity }) => severity === ValidationSeverity.ERROR || severity === ValidationSeverity.WARNING)
    .map(({ message, range }) => `line ${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`)
  const last = file.getInstructions().map((one) => one.getKeyword())
  const inLastStage = last.slice(last.lastIndexOf('FROM'))
  if (file.getDirectives().length > 0) found.push('a parser directive makes the build pull an image of its own')
  for (const from of file.getFROMs()) {
    const image = resolve(file, from.getImage() ?? '')
    const isStage = file.getFROMs().some((other) => other.getBuildStage() === image)
    if (!isStage && !/(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image)) found.push(`FROM ${image} has no fixed tag`)
  }
  for (const instruction of file.getInstructions()) {
    const keyword = instruction.getKeyword()
    if (keyword === 'ADD') found.push('ADD fetches and unpacks: use COPY')
    if (keyword !== 'ARG' && keyword !== 'ENV') continue
    for (const name of instruction.getArguments().map((argument) => argument.getValue().split('=')[0] ?? '')) {
      if (SECRET.test(name)) found.push(`${keyword} ${name} puts a secret into a layer`)
    }
  }
  const user = userOf(file)
  if (user === null) found.push('no USER in the last stage: it runs as root')
  else if (!/^[1-9]\d*(:[1-9]\d*)?$/.test(user)) found.push(`USER ${user} is not a number other than 0`)
  if (inLastStage.lastIndexOf('USER') < inLastStage.lastIndexOf('RUN')) found.push('USER stands before a RUN')
  const health = file.getHEALTHCHECKs().at(-1)
  if (!inLastStage.includes('HEALTHCHECK') || health === undefined) found.push('no HEALTHCHECK in the last stage')
  else if (!isExec(health) || /curl|wget/.test(health.getArgumentsContent() ?? ''))
    found.push('HEALTHCHECK is not the exec form of something in the image')
  for (const one of [...file.getCMDs(), ...file.getENTRYPOINTs()])
    if (!isExec(one)) found.push(`${one.getKeyword()} is not in exec form: signals would end at a shell`)
  if (!inLastStage.includes('CMD')) found.push('no CMD in the last stage')
  return found
}

/** Default of a build argument; null when it has none. */
export function argOf(text: string, name: string): string | null {
  return argIn(DockerfileParser.parse(text), name)
}

/** ENV of the last stage. */
export function environmentOf(text: string): Record<string, string> {
  const file = DockerfileParser.parse(text)
  const start = file.getFROMs().at(-1)?.getRange()?.start.line ?? 0
  const set = file.getENVs().filter((env) => (env.getRange()?.start.line ?? 0) > start)
  return Object.fromEntries(set.flatMap((env) => env.getProperties().map((one) => [one.getName(), one.getValue() ?? ''])))
}

/** Every path that is copied out of the build context. */
export function copiedPaths(text: string): string[] {
  return DockerfileParser.parse(text)
    .getCOPYs()
    .filter((copy: Copy) => !copy.getFlags().some((flag) => flag.getName() === 'from'))
    .flatMap((copy) => copy.getArguments().slice(0, -1))
    .map((argument) => argument.getValue())
}

function argIn(file: Dockerfile, name: string): string | null {
  const args = file.getInstructions().filter((one): one is Arg => one.getKeyword() === 'ARG')
  for (const arg of args) {
    const [key, ...value] = (arg.getArgumentsContent() ?? '').split('=')
    if (key === name) return value.join('=')
  }
  return null
}

const resolve = (file: Dockerfile, image: string) => image.replace(/\$\{?(\w+)\}?/g, (_, name: string) => argIn(file, name) ?? '')

function userOf(file: Dockerfile): string | null {
  const instructions = file.getInstructions()
  const start = instructions.map((one) => one.getKeyword()).lastIndexOf('FROM')
  const user = instructions.slice(start).findLast((one) => one.getKeyword() === 'USER')
  return user?.getArgumentsContent() ?? null
}

function isExec(instruction: Cmd | Entrypoint | Healthcheck): boolean {
  return /(^|CMD\s*)\[\s*".*"\s*\]$/.test(instruction.getArgumentsContent() ?? '')
}
