import { createHash } from 'node:crypto'
import { uuidFromRequest } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { encode, type LogRecord } from '@agentic-hooks/testing/reference-decoder/protobuf'
import { describe, expect, it } from 'vitest'
import { Budget, DEFAULT_LIMITS } from '../../src/decode/budget.ts'
import { RequestTooLargeError, TooManyRecordsError } from '../../src/decode/decoded-request.ts'
import { decodeOtlpJson } from '../../src/decode/otlp-json.ts'
import { decodeOtlpProtobuf, readOtlpProtobuf } from '../../src/decode/otlp-protobuf.ts'
import { RequestHash } from '../../src/decode/request-hash.ts'
import { decodeRestBatch } from '../../src/decode/rest.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000

function requestOf(logRecords: LogRecord[], schemaUrl = ''): Buffer {
  return Buffer.from(encode({ resourceLogs: [{ scopeLogs: [{ schemaUrl, logRecords }] }] }))
}

const records = (count: number, text = ''): LogRecord[] =>
  Array.from({ length: count }, () => ({ body: { stringValue: text } }))

describe('Budget', () => {
  it('lets a short request have ten thousand records, and a longer one as many as fit', () => {
    expect(decodeOtlpProtobuf(requestOf(records(9_998)), RECEIVED_AT_MICROS).batch.events).toHaveLength(9_998)
    const long = records(20_000, 'x'.repeat(60))
    expect(decodeOtlpProtobuf(requestOf(long), RECEIVED_AT_MICROS).batch.events).toHaveLength(20_000)
    const empty = requestOf(records(20_000))
    expect(() => decodeOtlpProtobuf(empty, RECEIVED_AT_MICROS)).toThrow('MIN_EVENT_BYTES')
    const any = Budget.of(empty, { minEventBytes: 0 })
    expect(decodeOtlpProtobuf(empty, RECEIVED_AT_MICROS, any).batch.events).toHaveLength(20_000)
  })

  it('counts the records of all scopes of a request together', () => {
    const scopeLogs = [{ logRecords: records(6_000) }, { logRecords: records(6_000) }]
    const body = Buffer.from(encode({ resourceLogs: [{ scopeLogs }] }))
    const budget = Budget.of({ byteLength: 0 })
    expect(() => decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget)).toThrow(TooManyRecordsError)
  })

  it('counts what records share once for each of them, in every encoding', () => {
    const limits = { maxDecodedBytes: 100_000 }
    const url = 'u'.repeat(1_000)
    const protobuf = requestOf(records(200), url)
    expect(() => decodeOtlpProtobuf(protobuf, RECEIVED_AT_MICROS, Budget.of(protobuf, limits))).toThrow(
      RequestTooLargeError,
    )
    const resource = { attributes: [{ key: 'k', value: { stringValue: url } }] }
    const logRecords = Array(200).fill({})
    const json = Buffer.from(JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }))
    expect(() => decodeOtlpJson(json, RECEIVED_AT_MICROS, Budget.of(json, limits))).toThrow(
      RequestTooLargeError,
    )
    const event = { event_type: 'custom', session_id: 's', resource: { k: url } }
    const rest = Buffer.from(JSON.stringify(Array(200).fill(event)))
    expect(() => decodeRestBatch(rest, RECEIVED_AT_MICROS, Budget.of(rest, limits))).toThrow(
      RequestTooLargeError,
    )
  })

  it('tells how a request grows while it is decoded, and ends the decoding with what that throws', () => {
    const body = requestOf(records(1_000, 'x'.repeat(1_000)))
    let reserved = 0
    const budget = new Budget(DEFAULT_LIMITS, body.byteLength, (bytes) => {
      reserved += bytes
    })
    const { batch } = decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget)
    expect(reserved).toBeGreaterThan(1_000_000)
    expect(batch.byteLength - reserved).toBeLessThan(2 ** 16)
    const full = new Budget(DEFAULT_LIMITS, body.byteLength, () => {
      throw new Error('full')
    })
    expect(() => decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, full)).toThrow('full')
  })

  it('counts the memory of events that come all at once', () => {
    const budget = Budget.of({ byteLength: 0 })
    budget.addEvents(sampleRecords(3))
    expect(budget.heldBytes).toBeGreaterThan(3 * 450)
  })
})

describe('an event above MAX_EVENT_BYTES', () => {
  it.each([
    ['as JSON', { body: { stringValue: '\u0001'.repeat(500) } }],
    ['as it came', { attributes: [{ key: 'k'.repeat(3_000) }] }],
    ['by its many values', { body: { arrayValue: { values: Array(100).fill({}) } } }],
    ['by its many attributes', { attributes: Array(100).fill({ key: 'k', value: { intValue: '1' } }) }],
  ] as [string, LogRecord][])('is rejected alone, %s', (_name, large) => {
    const body = requestOf([...records(1, 'first'), large, ...records(1, 'last')])
    const budget = Budget.of(body, { maxEventBytes: 2_000 })
    const { batch, rejected } = decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget)
    expect(batch.events.map(({ data }) => JSON.parse(Buffer.from(data).toString()))).toEqual([
      { body: 'first' },
      { body: 'last' },
    ])
    expect(rejected).toMatchObject([{ reason: expect.stringMatching(/^log record 1: .*MAX_EVENT_BYTES/) }])
  })

  it('is rejected by its own id where it could be read', () => {
    const uid = '01a20472-999a-7734-a81a-0ce43b9491e4'
    const attributes = [{ key: 'log.record.uid', value: { stringValue: uid } }]
    const body = requestOf([{ attributes, body: { stringValue: '\u0001'.repeat(500) } }])
    const budget = Budget.of(body, { maxEventBytes: 2_000 })
    expect(decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget).rejected).toMatchObject([{ eventId: uid }])
  })

  it('fails its request where it is a resource', () => {
    const resource = { attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(3_000) } }] }
    const body = Buffer.from(
      encode({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: records(1) }] }] }),
    )
    const budget = Budget.of(body, { maxEventBytes: 2_000 })
    expect(() => decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget)).toThrow('MAX_EVENT_BYTES')
  })

  it('leaves the texts of the records after it alone', () => {
    const large = {
      severityText: 's'.repeat(2 ** 20 + 1),
      attributes: [{ key: 'session.id', value: { stringValue: 'session' } }],
    }
    const next = { attributes: [{ key: 'session.id', value: { stringValue: 'session' } }] }
    const { batch, rejected } = decodeOtlpProtobuf(requestOf([large, next]), RECEIVED_AT_MICROS)
    expect(batch.events.map(({ sessionId }) => sessionId)).toEqual(['session'])
    expect(rejected).toHaveLength(1)
  })
})

it('decodes a large request in many steps, others in between, and gives the same events', () => {
  const body = requestOf(records(20_000, 'x'.repeat(100)))
  const { byteLength } = body
  const small = requestOf(records(1, 'small'))
  const decoding = readOtlpProtobuf({ chunks: [body], byteLength }, RECEIVED_AT_MICROS, Budget.of(body))
  let steps = 0
  let step = decoding.next()
  for (; !step.done; step = decoding.next()) {
    steps++
    expect(decodeOtlpProtobuf(small, RECEIVED_AT_MICROS).batch.events).toHaveLength(1)
  }
  expect(steps).toBeGreaterThan(20)
  expect(step.value).toEqual(decodeOtlpProtobuf(body, RECEIVED_AT_MICROS))
})

it('gives records the ids that follow from the hash of their request', () => {
  const body = Buffer.from('a body')
  const digest = createHash('sha256').update(body).digest()
  const hash = new RequestHash(() => [body])
  for (const index of [0, 1, 255, 199_999, 2 ** 31, 2 ** 32 - 1]) {
    expect(hash.idOf(index)).toBe(uuidFromRequest(digest, index))
  }
})
