import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  batchOf,
  decodeEvent,
  decodeLine,
  type EventRecord,
  InvalidEventError,
  MAX_TIMESTAMP_MICROS,
  queryEvents,
  toHookEvent,
} from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createExporter } from '../src/index.ts'

const never = new AbortController().signal

/** Any text, lone surrogates included. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)
const anyText = fc.oneof(
  text,
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 })
    .map((units) => String.fromCharCode(...units)),
  fc.constant('x'.repeat(512)),
  fc.constantFrom('\n', '\r\n', '\u2028', '__proto__', '"', '\\', '\ud800'),
)
const payload = fc.dictionary(anyText, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 5 })
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdefABCDEF'), { minLength: digits, maxLength: digits })
    .map((d) => d.join(''))

/** What a sender may say of an event, as the decoders of all ways in hand it over. */
const sent = fc.record({
  event_id: orNull(fc.oneof(fc.uuid(), anyText)),
  event_type: fc.oneof(fc.constant('custom'), anyText),
  session_id: anyText,
  workflow_id: orNull(anyText),
  phase_id: orNull(anyText),
  milestone_id: orNull(anyText),
  data: orNull(payload),
  timestamp: orNull(
    fc.oneof(
      fc.date({ min: new Date(0), max: new Date(MAX_TIMESTAMP_MICROS / 1000), noInvalidDate: true }),
      fc.constantFrom('1970-01-01T00:00:00.000001Z', '2255-06-05T23:47:34.740991Z'),
      fc.nat(),
    ),
  ),
  trace_id: orNull(hex(32)),
  span_id: orNull(hex(16)),
  severity: orNull(fc.integer({ min: 0, max: 24 })),
  attributes: orNull(payload),
  resource: orNull(payload),
  scope: orNull(payload),
})

function decoded(value: unknown): EventRecord[] {
  try {
    return [decodeEvent(value)]
  } catch (error) {
    if (error instanceof InvalidEventError) return []
    throw error
  }
}

async function inFile<T>(use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'exporter-jsonl-round-trip-'))
  try {
    return await use(join(directory, 'events.jsonl'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function read(path: string, warnings: object[] = []): Promise<Map<string, unknown>> {
  const reader = createExporter({ path }, { logger: { info() {}, warn: (fields) => warnings.push(fields) } })
  const found = new Map<string, unknown>()
  for await (const event of queryEvents(reader, {})) found.set(event.eventId, event)
  return found
}

describe('whatever the exporter accepted', () => {
  it('is read back as it was, by the reader and as a line of an import', async () => {
    const events = fc.array(sent, { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(events, (values) =>
        inFile(async (path) => {
          const records = new Map(values.flatMap(decoded).map((record) => [record.eventId, record]))
          const exporter = createExporter({ path, maxFileBytes: 2 ** 40 })
          await exporter.start()
          await exporter.export(batchOf([...records.values()]), { signal: never })
          await exporter.shutdown()
          const warnings: object[] = []
          const expected = new Map([...records].map(([id, record]) => [id, toHookEvent(record)]))
          expect(await read(path, warnings)).toEqual(expected)
          expect(warnings).toEqual([])
          const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
          expect(lines).toHaveLength(records.size)
          for (const line of lines) {
            const record = decodeLine(line)
            expect(toHookEvent(record)).toEqual(expected.get(record.eventId))
          }
        }),
      ),
      { numRuns: 150 },
    )
  })

  it('is read back at the deepest nesting that is kept', async () => {
    for (const depth of [1_020, 1_023, 1_024, 1_025]) {
      const data = JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
      const record = decodeEvent({ event_type: 'custom', session_id: '', data })
      await inFile(async (path) => {
        const exporter = createExporter({ path })
        await exporter.start()
        await exporter.export(batchOf([record]), { signal: never })
        await exporter.shutdown()
        const [event] = [...(await read(path)).values()]
        expect(event).toEqual(toHookEvent(record))
      })
    }
  })
})

describe('the reader', () => {
  it('gives every whole line of a file in which anything may have been overwritten', async () => {
    const damage = fc.record({
      line: fc.nat({ max: 9 }),
      junk: fc.oneof(
        fc.constant(Buffer.alloc(100)),
        fc.constant(Buffer.from('[]')),
        fc.constant(Buffer.from('null')),
        fc.constant(Buffer.from('{"data":1}')),
        fc.constant(Buffer.from('['.repeat(100_000))),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from(' '), bytes])),
      ),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) =>
        inFile(async (path) => {
          const records = sampleRecords(10)
          const exporter = createExporter({ path })
          await exporter.start()
          await exporter.export(batchOf(records), { signal: never })
          await exporter.shutdown()
          const lines: Buffer[] = readFileSync(path)
            .toString()
            .trimEnd()
            .split('\n')
            .map((line) => Buffer.from(line))
          for (const { line, junk } of damages) lines[line] = junk
          writeFileSync(path, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])))
          const damaged = new Set(damages.map(({ line }) => line))
          const found = await read(path)
          for (const [index, { eventId }] of records.entries())
            expect(found.has(eventId)).toBe(!damaged.has(index))
        }),
      ),
      { numRuns: 60 },
    )
  })
})
