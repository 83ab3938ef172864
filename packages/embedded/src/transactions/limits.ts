/** The caps of production, enforced here too so that code does not first fail there. Bytes are Convex's own size formula. */
import { FunctionError } from '../errors.ts'

export const LIMITS = {
  documentsRead: 32_000,
  bytesRead: 16 * 1024 * 1024,
  /** `get` and query calls. */
  indexRanges: 4_096,
  documentsWritten: 16_000,
  bytesWritten: 16 * 1024 * 1024,
  argumentBytes: 16 * 1024 * 1024,
  resultBytes: 16 * 1024 * 1024,
  nestingDepth: 8,
  documentBytes: 1024 * 1024,
  documentNesting: 16,
  scheduledFunctions: 1_000,
  scheduledBytes: 16 * 1024 * 1024,
  scheduledBytesEach: 4 * 1024 * 1024,
  logLines: 256,
  logLineLength: 4_096,
} as const

export interface Usage {
  documentsRead: number
  bytesRead: number
  indexRanges: number
  documentsWritten: number
  bytesWritten: number
  scheduledFunctions: number
  scheduledBytes: number
}

/** A cap of one function was passed. A page that has rows already ends before the row that passed it. */
export class LimitError extends FunctionError {
  override name = 'LimitError'
}

const READ_HINT =
  'Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions.'

const MESSAGES: Record<keyof Usage, (limit: number) => string> = {
  documentsRead: (n) => `Too many documents read in a single function execution (limit: ${n}). ${READ_HINT}`,
  bytesRead: (n) => `Too many bytes read in a single function execution (limit: ${n} bytes). ${READ_HINT}`,
  indexRanges: (n) => `Too many reads in a single function execution (limit: ${n}). ${READ_HINT}`,
  documentsWritten: (n) => `Too many writes in a single function execution (limit: ${n})`,
  bytesWritten: (n) => `Too many bytes written in a single function execution (limit: ${n} bytes)`,
  scheduledFunctions: (n) => `Too many functions scheduled by this mutation (limit: ${n})`,
  scheduledBytes: (n) => `Too large total size of the arguments of scheduled functions from this mutation (limit: ${n} bytes)`,
}

export function createUsage() {
  const usage: Usage = {
    documentsRead: 0,
    bytesRead: 0,
    indexRanges: 0,
    documentsWritten: 0,
    bytesWritten: 0,
    scheduledFunctions: 0,
    scheduledBytes: 0,
  }
  /** Counts, and throws the error production would throw when a cap is passed. */
  const count = (what: keyof Usage, amount = 1): void => {
    usage[what] += amount
    if (usage[what] > LIMITS[what]) throw new LimitError(MESSAGES[what](LIMITS[what]))
  }
  return { usage, count }
}
