import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeLines, nowMicros } from '@agentic-hooks/events'
import { decodeOtlpProtobuf } from '@agentic-hooks/receiver/decode'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type EmittedEvent,
  HookClient,
  INSTRUMENTATION_SCOPE,
  InMemoryExporter,
  JsonlFileExporter,
  NullExporter,
  processResource,
  Redactor,
  toApiLogRecord,
  toLogRecord,
} from '../../src/index.ts'
import { answer, OtlpServer } from '../support/otlp-server.ts'

const events: EmittedEvent[] = [
  { eventType: 'session_started', sessionId: 's', workflowId: 'w', phaseId: 'p', milestoneId: 'm' },
  {
    eventType: 'tool_execution_started',
    sessionId: 's',
    timestamp: 1_700_000_000_123.456,
    eventId: 'no uuid',
    data: {
      tool_name: 'Bash',
      tool_use_id: 't',
      agent_id: 'a',
      model: 'm',
      text: 'tab\t"quoted" ü 😀 \u0000 \ud800',
      numbers: [0, -0, 1.5, -7, 2 ** 31],
      nested: { list: [[], {}, null, true], bytes: new Uint8Array([1, 2]), '': 'empty key' },
      token: 'hunter2',
    },
  },
  {
    eventType: 'tool_blocked',
    sessionId: '',
    data: { tool_name: 'Bash', circular: null, error: new RangeError('x') },
  },
]

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'client-backends-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('JsonlFileExporter', () => {
  it('writes the lines that the receiver would write of the same events', async () => {
    const path = join(directory, 'deep', 'events.jsonl')
    const records: ReadableLogRecord[] = []
    const file = new JsonlFileExporter(path)
    const exporter: LogRecordExporter = {
      export(batch, done) {
        records.push(...batch)
        file.export(batch, done)
      },
      forceFlush: () => file.forceFlush(),
      shutdown: () => file.shutdown(),
    }
    const client = new HookClient({ exporter })
    client.emitMany(events)
    expect(await client.close()).toMatchObject({ delivered: 3 })
    const body = ProtobufLogsSerializer.serializeRequest(records)!
    const stored = decodeOtlpProtobuf(body, nowMicros())
    expect(readFileSync(path, 'utf8')).toBe(encodeLines(stored.batch.events).toString())
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('appends to what is there', async () => {
    const path = join(directory, 'events.jsonl')
    for (let run = 0; run < 2; run++) {
      const client = new HookClient({ exporter: new JsonlFileExporter(path) })
      client.emitMany(events)
      await client.close()
    }
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(6)
  })

  it('that cannot write is tried again like a server', async () => {
    writeFileSync(join(directory, 'file'), '')
    const logger = new MemoryLogger()
    const exporter = new JsonlFileExporter(join(directory, 'file', 'events.jsonl'))
    const client = new HookClient({ exporter, logger, shutdownTimeoutMillis: 100 })
    client.emitMany(events)
    expect(await client.close()).toMatchObject({ delivered: 0, dropped: 3 })
    expect(logger.warnings[0]).toMatch(
      /cannot deliver to JsonlFileExporter, will try again: (ENOTDIR|EEXIST)/,
    )
  })
})

it('InMemoryExporter gives events back as a receiver would, until it is reset', async () => {
  const exporter = new InMemoryExporter()
  await using client = new HookClient({ exporter })
  client.emitMany(events)
  await client.flush()
  expect(exporter.events.map(({ eventType }) => eventType)).toEqual(events.map(({ eventType }) => eventType))
  expect(exporter.events[1]).toMatchObject({
    attributes: { 'log.record.uid': 'no uuid' },
    data: { tool_name: 'Bash', token: '[redacted]' },
    timestampMicros: 1_700_000_000_123_456,
  })
  exporter.reset()
  expect(exporter.events).toEqual([])
})

it('NullExporter takes everything', async () => {
  await using client = new HookClient({ exporter: new NullExporter() })
  client.emitMany(events)
  expect(await client.flush()).toMatchObject({ delivered: 3 })
})

describe("OpenTelemetry's own OTLP exporter", () => {
  it('can take the place of ours', async () => {
    await using server = await OtlpServer.start()
    await using client = new HookClient({ exporter: new OTLPLogExporter({ url: `${server.url}/v1/logs` }) })
    client.emitMany(events)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(server.requests[0]!.headers['content-type']).toBe('application/json')
    expect(server.stored.map(({ eventType }) => eventType)).toEqual(events.map(({ eventType }) => eventType))
  })

  it('tells of a refusal by its status, which is not tried again', async () => {
    await using server = await OtlpServer.start()
    server.behaviour = answer(400)
    const logger = new MemoryLogger()
    await using client = new HookClient({
      exporter: new OTLPLogExporter({ url: `${server.url}/v1/logs` }),
      logger,
    })
    client.emitMany(events)
    expect(await client.flush()).toMatchObject({ dropped: 3 })
    expect(client.stats().droppedByReason).toEqual({ refused: 3 })
    expect(server.requests).toHaveLength(1)
  })
})

describe("a user's exporter", () => {
  const exporterOf = (send: (attempt: number, done: (result: ExportResult) => void) => void) => {
    let attempts = 0
    return {
      export: (_: unknown, done: (result: ExportResult) => void) => send(++attempts, done),
      forceFlush: async () => {},
      shutdown: async () => {},
    }
  }
  const success = { code: ExportResultCode.SUCCESS }

  it.each([
    [
      'throws',
      (attempt: number) => {
        if (attempt === 1) throw new Error('not yet')
      },
    ],
    ['fails', () => ({ code: ExportResultCode.FAILED, error: new Error('not yet') })],
    ['fails without a reason', () => ({ code: ExportResultCode.FAILED })],
    ['hangs', () => null],
  ])('that %s is asked again', async (_, first) => {
    const exporter = exporterOf((attempt, done) => {
      const result = attempt === 1 ? first(attempt) : success
      if (result) done(result)
    })
    await using client = new HookClient({
      exporter,
      exportTimeoutMillis: 50,
      retryInitialDelayMillis: 1,
      logger: new MemoryLogger(),
    })
    client.emitMany(events)
    expect(await client.flush()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
  })

  it('whose shutdown hangs does not hang close', async () => {
    const exporter = {
      ...exporterOf((_, done) => done(success)),
      shutdown: () => new Promise<void>(() => {}),
    }
    const client = new HookClient({ exporter, shutdownTimeoutMillis: 50 })
    client.emitMany(events)
    expect(await client.close()).toMatchObject({ delivered: 3 })
  })
})

describe('a logger provider of the application', () => {
  const context = {
    resource: processResource({}),
    instrumentationScope: INSTRUMENTATION_SCOPE,
    redactor: new Redactor(),
    maxPayloadBytes: 1_000_000,
  }

  it('gets records that serialize to the same bytes as ours', () => {
    const theirs = new InMemoryLogRecordExporter()
    const provider = new LoggerProvider({
      resource: context.resource,
      processors: [new SimpleLogRecordProcessor({ exporter: theirs })],
    })
    const logger = provider.getLogger(INSTRUMENTATION_SCOPE.name, INSTRUMENTATION_SCOPE.version)
    const ours = events.map((event) => toLogRecord(event, context))
    for (const record of ours) logger.emit(toApiLogRecord(record))
    const records = theirs.getFinishedLogRecords()
    expect(records).toHaveLength(3)
    for (const [index, record] of ours.entries()) {
      expect(Buffer.from(ProtobufLogsSerializer.serializeRequest([records[index]!])!)).toEqual(
        Buffer.from(ProtobufLogsSerializer.serializeRequest([record])!),
      )
    }
  })

  it('takes the events of a client that is given it', async () => {
    const exporter = new InMemoryLogRecordExporter()
    const provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] })
    const client = new HookClient({ loggerProvider: provider })
    client.emitMany(events)
    expect(await client.close()).toEqual({ delivered: 3, dropped: 0, spooled: 0, pending: 0 })
    expect(exporter.getFinishedLogRecords().map(({ eventName }) => eventName)).toEqual(
      events.map(({ eventType }) => `agentic_hooks.${eventType}`),
    )
  })
})
