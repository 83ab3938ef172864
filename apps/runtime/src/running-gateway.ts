/** The gateway that a runtime of this data folder has left running or is running right now, by its record. */
import { startTimeOf } from '@mission-control/host/processes'
import { readRecord } from '@mission-control/openclaw/supervisor/record'
import { gatewayPaths } from '@mission-control/openclaw/supervisor/supervisor'
import type { RuntimeConfig } from './config/load.ts'

/** @returns `null` when there is none alive */
export async function runningGateway({ openclawStateDir }: RuntimeConfig): Promise<{ url: string; token: string } | null> {
  const record = await readRecord(gatewayPaths(openclawStateDir).record)
  if (record === null || startTimeOf(record.pid) !== record.startTime) return null
  return { url: `ws://127.0.0.1:${record.port}`, token: record.token }
}
