import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { Attribute, EVENT_NAME_PREFIX, uuidv7 } from '@agentic-hooks/events'
import { HookClient, type HookClientOptions } from '@agentic-hooks/instrumentation'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import type { Row } from './harness.ts'

/*
 * One measured process: `emit-agent.ts ENDPOINT VARIANT emit|memory`, run with --expose-gc. Prints JSON.
 */

/** What is measured: the parts that every client has, whoever made it. */
interface Emitter {
  emit(n: number): void
  flush(): Promise<unknown>
  close(): Promise<unknown>
}

const EVENTS = 100_000
const WARMUP_EVENTS = 30_000
/** Between two turns of the event loop; a batch of HookClient's. */
const BURST_EVENTS = 50
const CLIENTS = 1000

const [endpoint = '', variant = '', what = ''] = process.argv.slice(2)
const spool = mkdtempSync(join(tmpdir(), 'agentic-hooks-emit-'))

const VARIANTS = new Map<string, () => Emitter>([
  ['HookClient', () => hookClient({})],
  ['HookClient, redact off', () => hookClient({ redact: false })],
  ["HookClient, durability 'disk'", () => hookClient({ durability: 'disk', spool })],
  ['OTel Logger.emit', otelLogger],
])

/** About 300 bytes as JSON: a tool call as Claude Code reports it. */
function payload(n: number): Record<string, unknown> {
  return {
    tool_name: 'Bash',
    tool_use_id: 'toolu_01ABCDEFGHIJKLMNOPQRSTUV',
    tool_input: {
      command: 'npm test -- --reporter=dot',
      description: 'Run the unit tests of the parser and print the summary of failures',
      timeout: 120_000,
    },
    cwd: '/home/user/projects/agentic',
    permission_mode: 'default',
    n,
  }
}

const SESSION_ID = '0198f3e4-7b1a-7c4e-9f3a-2b1c0d9e8f7a'
const EVENT_TYPE = 'tool_execution_started'

function hookClient(options: HookClientOptions): Emitter {
  const client = new HookClient({ endpoint, maxQueueSize: 100_000, ...options })
  return {
    emit: (n) => client.emit({ eventType: EVENT_TYPE, sessionId: SESSION_ID, data: payload(n) }),
    async flush() {
      const result = await client.flush()
      if (result.dropped + result.pending > 0)
        throw new Error(`not all was delivered: ${JSON.stringify(result)}`)
    },
    close: () => client.close(),
  }
}

/** The same record by OpenTelemetry's own means, with the settings that it comes with and room for the burst. */
function otelLogger(): Emitter {
  const exporter = new OTLPLogExporter({ url: `${endpoint}/v1/logs` })
  const processor = new BatchLogRecordProcessor({ exporter, maxQueueSize: 100_000 })
  const provider = new LoggerProvider({ processors: [processor] })
  const logger = provider.getLogger('bench')
  return {
    emit(n) {
      const data = payload(n)
      logger.emit({
        eventName: EVENT_NAME_PREFIX + EVENT_TYPE,
        severityNumber: 9,
        body: 'Bash started',
        attributes: {
          [Attribute.EventId]: uuidv7(),
          [Attribute.SessionId]: SESSION_ID,
          [Attribute.GenAiConversationId]: SESSION_ID,
          [Attribute.ToolName]: 'Bash',
          [Attribute.Data]: data,
        },
      })
    },
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown(),
  }
}

/** Microseconds of single calls, the clock's own cost taken off. */
async function measureEmit(emitter: Emitter): Promise<Row> {
  await emitAll(emitter, WARMUP_EVENTS)
  const nanos = await emitAll(emitter, EVENTS)
  const clock = clockNanos()
  const micros = nanos.map((value) => Math.max(0, value - clock) / 1000).sort()
  const at = (share: number) => micros[Math.floor(share * micros.length)]!
  const stalls = await measureStalls(emitter)
  return {
    'mean µs': micros.reduce((sum, value) => sum + value, 0) / micros.length,
    'p50 µs': at(0.5),
    'p99 µs': at(0.99),
    'p99.9 µs': at(0.999),
    ...stalls,
  }
}

async function emitAll(emitter: Emitter, count: number): Promise<Float64Array> {
  const nanos = new Float64Array(count)
  for (let n = 0; n < count; n++) {
    const start = process.hrtime.bigint()
    emitter.emit(n)
    nanos[n] = Number(process.hrtime.bigint() - start)
    if (n % BURST_EVENTS === BURST_EVENTS - 1) await turn()
  }
  await emitter.flush()
  return nanos
}

function clockNanos(): number {
  const nanos = new Float64Array(10_000)
  for (let n = 0; n < nanos.length; n++) {
    const start = process.hrtime.bigint()
    nanos[n] = Number(process.hrtime.bigint() - start)
  }
  return nanos.sort()[nanos.length / 2]!
}

const FLUSHES = 200
/** What a busy agent emits in a second; a batch of OpenTelemetry's. */
const FLUSHED_EVENTS = 512

/** The longest turn of the event loop from the end of a burst until it is delivered, over many bursts. */
async function measureStalls(emitter: Emitter): Promise<Row> {
  const stalls: number[] = []
  for (let flush = 0; flush < FLUSHES; flush++) {
    for (let n = 0; n < FLUSHED_EVENTS; n++) emitter.emit(n)
    let isFlushed = false
    void emitter.flush().then(() => {
      isFlushed = true
    })
    let longest = 0
    while (!isFlushed) {
      const start = performance.now()
      await turn()
      longest = Math.max(longest, performance.now() - start)
    }
    stalls.push(longest)
  }
  stalls.sort((a, b) => a - b)
  return { 'stall p50 ms': stalls[FLUSHES / 2], 'stall p99 ms': stalls[Math.floor(FLUSHES * 0.99)] }
}

/**
 * Of a thousand clients that have each emitted and delivered an event, their connections open, in a process that has
 * done the same before: its first round makes V8 reserve a young generation, whoever it is for.
 */
async function measureMemory(create: () => Emitter): Promise<Row> {
  const round = async () => {
    const clients = Array.from({ length: CLIENTS }, create)
    for (const client of clients) client.emit(0)
    await Promise.all(clients.map((client) => client.flush()))
    return clients
  }
  const close = (clients: readonly Emitter[]) => Promise.all(clients.map((client) => client.close()))
  await close(await round())
  const before = await settledMemory()
  const clients = await round()
  const after = await settledMemory()
  await close(clients)
  const perClient = (bytes: number) => bytes / CLIENTS / 1000
  return {
    'kB/client': perClient(after.rss - before.rss),
    'heap kB/client': perClient(after.heap - before.heap),
  }
}

async function settledMemory(): Promise<{ rss: number; heap: number }> {
  for (let round = 0; round < 3; round++) {
    await delay(50)
    globalThis.gc?.()
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { rss, heap: heapUsed + external + arrayBuffers }
}

const create = VARIANTS.get(variant)
if (!create) throw new Error(`there is no variant ${variant}; there are ${[...VARIANTS.keys()].join(', ')}`)
if (what === 'memory') {
  console.log(JSON.stringify(await measureMemory(create)))
} else {
  const emitter = create()
  console.log(JSON.stringify(await measureEmit(emitter)))
  await emitter.close()
}
rmSync(spool, { recursive: true, force: true })
