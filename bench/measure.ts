import type { Row } from './harness.ts'
import type { LoadOptions, LoadReport } from './load/options.ts'
import { startLoad } from './load/start.ts'
import { peakResidentBytes, treeCpuSeconds } from './processes.ts'
import { startReceiver } from './servers.ts'
import type { Storage } from './storage.ts'

/** The processes whose cost counts: the server's and, where there is one, the database's. */
export interface Measured {
  readonly serverPid: number
  readonly postgresPid?: number | undefined
}

const WARMUP_MILLIS = 1_500

/** Starts a receiver on empty storage, warms it up, drives it and counts what was stored. */
export async function measureReceiver(storage: Storage, load: Omit<LoadOptions, 'target'>): Promise<Row> {
  await using receiver = await startReceiver(storage.environment)
  const options = { ...load, target: receiver.url }
  await startLoad({ ...options, durationMillis: WARMUP_MILLIS })
  const before = await storage.count()
  const row = await measureLoad({ serverPid: receiver.pid, postgresPid: storage.postgresPid }, options)
  const missing = (row.report as LoadReport).acceptedEvents - ((await storage.count()) - before)
  // There may be more: what got 503 because it took too long, and was stored after all.
  if (missing > 0) throw new Error(`${missing} events were acknowledged and are not in ${storage.name}`)
  return row
}

/** Drives a server and reports what it took, and what it cost in CPU by process. */
export async function measureLoad({ serverPid, postgresPid }: Measured, load: LoadOptions): Promise<Row> {
  const cpuSeconds = () => ({
    server: treeCpuSeconds(serverPid),
    postgres: postgresPid === undefined ? 0 : treeCpuSeconds(postgresPid),
  })
  const before = cpuSeconds()
  const report = await startLoad(load)
  const after = cpuSeconds()
  const server = after.server - before.server
  const postgres = after.postgres - before.postgres
  const micros = (seconds: number) => (seconds * 1e6) / report.acceptedEvents
  return {
    'events/s': report.eventsPerSecond,
    'server µs/event': micros(server),
    ...(postgresPid !== undefined && { 'PostgreSQL µs/event': micros(postgres) }),
    'generator µs/event': (report.cpuSeconds * 1e6) / (report.eventsPerSecond * report.seconds),
    'events/CPU-s': report.acceptedEvents / (server + postgres),
    'p50 ms': report.latencyMillis.p50,
    'p99 ms': report.latencyMillis.p99,
    'peak MB': peakResidentBytes(serverPid) / 1e6,
    trouble: trouble(report),
    report,
  }
}

/** Empty when every event that was sent was accepted and the generator kept up. */
function trouble(report: LoadReport): string {
  const missing = report.sentEvents - report.acceptedEvents
  return [
    ...(missing ? [`${missing} events not accepted: ${JSON.stringify(report.statuses)}`] : []),
    ...(report.unsentEvents > report.records ? [`${report.unsentEvents} events not sent in time`] : []),
    ...(report.bottleneck ? [report.bottleneck] : []),
  ].join('; ')
}
