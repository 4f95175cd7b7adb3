import { parseArgs } from 'node:util'
import { parseCount, parseMillis } from './flags.ts'
import { type LoadOptions, type LoadReport, PROTOCOLS, type Protocol } from './options.ts'
import { runLoad } from './run.ts'

const HELP = `Sends hook events to any OTLP/HTTP or agentic-hooks REST server and measures how it takes them.

  --target URL          as in http://127.0.0.1:4318; required
  --protocol NAME       ${PROTOCOLS.join(', ')}; default ${PROTOCOLS[0]}
  --connections N       kept-alive connections, one request in flight on each; default 10
  --records N           events a request; default 50
  --rate N              events a second on a fixed schedule (open loop); default: as fast as answers come
  --duration TIME       how long to measure, as in 500ms, 10s, 1h; default 10s
  --warmup TIME         how long to send before that; default 0s
  --events N            stop after so many events
  --gzip                compress bodies
  --header "Name: value"  repeatable
  --interval TIME       also report this often
  --json                reports as lines of JSON
`

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    protocol: { type: 'string' },
    connections: { type: 'string' },
    records: { type: 'string' },
    rate: { type: 'string' },
    duration: { type: 'string' },
    warmup: { type: 'string' },
    events: { type: 'string' },
    gzip: { type: 'boolean' },
    header: { type: 'string', multiple: true },
    interval: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})

async function main(): Promise<void> {
  if (values.help || !values.target) {
    console.log(HELP)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
  const report = await runLoad(
    parseOptions(values.target),
    (interval) => {
      if (values.json) console.log(JSON.stringify({ interval }))
      else {
        const { elapsedMillis, eventsPerSecond, latencyMillis } = interval
        console.log(`${elapsedMillis / 1000} s  ${eventsPerSecond} events/s  p99 ${latencyMillis.p99} ms`)
      }
    },
    stop.signal,
  )
  console.log(values.json ? JSON.stringify({ report }) : describe(report))
}

function parseOptions(target: string): LoadOptions {
  return {
    target,
    ...(values.protocol && { protocol: parseProtocol(values.protocol) }),
    ...(values.connections && { connections: parseCount('connections', values.connections) }),
    ...(values.records && { records: parseCount('records', values.records) }),
    ...(values.rate && { rate: parseCount('rate', values.rate) }),
    ...(values.duration && { durationMillis: parseMillis('duration', values.duration) }),
    ...(values.warmup && { warmupMillis: parseMillis('warmup', values.warmup) }),
    ...(values.events && { totalEvents: parseCount('events', values.events) }),
    ...(values.interval && { intervalMillis: parseMillis('interval', values.interval) }),
    gzip: values.gzip ?? false,
    headers: Object.fromEntries((values.header ?? []).map(parseHeader)),
  }
}

function parseProtocol(text: string): Protocol {
  const protocol = PROTOCOLS.find((name) => name === text)
  if (!protocol) throw new Error(`--protocol is ${text}; allowed are ${PROTOCOLS.join(', ')}`)
  return protocol
}

function parseHeader(text: string): [name: string, value: string] {
  const colon = text.indexOf(':')
  if (colon < 1) throw new Error(`--header is ${text}; it must look like "Name: value"`)
  return [text.slice(0, colon), text.slice(colon + 1).trim()]
}

function describe(report: LoadReport): string {
  const { latencyMillis: latency, lateMillis: late } = report
  const lines = [
    `${report.eventsPerSecond.toLocaleString('en')} events/s over ${report.seconds.toFixed(1)} s, ${report.connections} connections, ${report.records} events a request, ${report.bodyBytesPerEvent} bytes an event`,
    `sent ${report.sentEvents}, accepted ${report.acceptedEvents}, rejected ${report.rejectedEvents}, not sent in time ${report.unsentEvents}; requests by status ${JSON.stringify(report.statuses)}`,
    `latency ms: p50 ${latency.p50}  p90 ${latency.p90}  p99 ${latency.p99}  p99.9 ${latency.p999}  max ${latency.max}`,
    `generator: ${report.cpuSeconds.toFixed(2)} CPU-seconds, event loop ${Math.round(report.eventLoopUtilization * 100)} % busy, sent late by p50 ${late.p50}  p99 ${late.p99} ms`,
  ]
  if (report.bottleneck) lines.push(`The generator is the bottleneck: ${report.bottleneck}.`)
  return lines.join('\n')
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
