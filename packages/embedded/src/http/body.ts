/** Request bodies: bounded, and JSON or refused. */
import type { IncomingMessage } from 'node:http'
import { convexToJson, jsonToConvex } from 'convex/values'
import { RequestError } from '../errors.ts'
import type { WireCode } from '../wire-codes.ts'
import { LIMITS } from '../transactions/limits.ts'
import { isObject, type Json, type JsonObject } from '../values/json.ts'

/** Arguments at their cap, plus room for the envelope. */
export const MAX_BODY_BYTES = LIMITS.argumentBytes + 2_048

export async function readJson(request: IncomingMessage): Promise<JsonObject> {
  const body = parseJson(await readBody(request))
  if (!isObject(body)) throw new RequestError(400, 'BadJsonBody', 'The request body must be a JSON object.')
  return body
}

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = () => new RequestError(413, 'BodyTooLarge', `The request body is larger than ${MAX_BODY_BYTES} bytes.`)
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `what` names the text in the refusal: "The request body is not JSON: …". */
export function parseJson(text: string, what = 'The request body', code: WireCode = 'BadJsonBody'): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new RequestError(400, code, `${what} is not JSON: ${(error as Error).message}`)
  }
}

/** Arguments as the wire has them, `[{...}]` or a bare object, checked and made canonical. */
export function parseArgs(args: Json | undefined): JsonObject {
  const value = Array.isArray(args) ? (args.length === 0 ? {} : args[0]) : (args ?? {})
  if (!isObject(value) || (Array.isArray(args) && args.length > 1)) {
    throw new RequestError(400, 'BadArguments', 'The arguments of a Convex function must be one object.')
  }
  try {
    const canonical = convexToJson(jsonToConvex(value))
    if (isObject(canonical) && !('$commitTs' in canonical)) return canonical
  } catch (error) {
    throw new RequestError(400, 'BadArguments', `The arguments are not Convex values: ${(error as Error).message}`)
  }
  throw new RequestError(400, 'BadArguments', 'The arguments of a Convex function must be one object.')
}
