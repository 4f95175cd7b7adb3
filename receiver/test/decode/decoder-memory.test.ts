import { Attribute, toHookEvent } from '@agentic-hooks/events'
import { encode, type LogRecord } from '@agentic-hooks/testing/reference-decoder/protobuf'
import { expect, it } from 'vitest'
import { Budget } from '../../src/decode/budget.ts'
import { UndecodableError } from '../../src/decode/decoded-request.ts'
import { checkedExports } from '../../src/decode/decoder-exports.ts'
import { DecoderMemory } from '../../src/decode/decoder-memory.ts'
import { decodeOtlpProtobuf } from '../../src/decode/otlp-protobuf.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const MIB = 2 ** 20

function requestOf(...logRecords: LogRecord[]): Buffer {
  return Buffer.from(encode({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))
}

const inSession = (sessionId: string, text = '') => ({
  attributes: [
    { key: 'session.id', value: { stringValue: sessionId } },
    { key: 'text', value: { stringValue: text } },
  ],
})

function decode(body: Uint8Array, budget = Budget.of(body)) {
  return decodeOtlpProtobuf(body, RECEIVED_AT_MICROS, budget).batch.events.map(toHookEvent)
}

it('keeps what a request brought as it is while others are decoded', () => {
  const requests = Array.from({ length: 50 }, (_, index) =>
    requestOf(inSession(`s${index}`, `text ${index}`)),
  )
  const batches = requests.map((request) => decodeOtlpProtobuf(request, RECEIVED_AT_MICROS).batch)
  for (const [index, { events }] of batches.entries()) {
    expect(toHookEvent(events[0]!)).toMatchObject({ sessionId: `s${index}`, data: { text: `text ${index}` } })
  }
})

it('reads a text that is many times as long as JSON, and gives the memory for it back', () => {
  const text = '\u001f'.repeat(8 * MIB)
  const body = requestOf(inSession('small', 'a'), inSession('large', text))
  const [small, large] = decode(body, Budget.of(body, { maxEventBytes: 64 * MIB }))
  expect(small!.data).toEqual({ text: 'a' })
  expect(large!.data.text === text).toBe(true)
  expect(DecoderMemory.take(0).bytes.byteLength).toBeLessThan(MIB)
})

it('reads many small records that are longer as JSON than as protobuf', () => {
  const records = Array.from({ length: 3_000 }, (_, index) => inSession('s', `"\n${index}\u0001`.repeat(9)))
  const events = decode(requestOf(...records))
  expect(events.map(({ data }) => data.text)).toEqual(
    records.map(({ attributes }) => attributes[1]!.value.stringValue),
  )
})

it('tells more sessions apart than it remembers', () => {
  const sessions = Array.from({ length: 20_000 }, (_, index) => `session-${index}`)
  for (const ids of [sessions, sessions.toReversed()]) {
    expect(decode(requestOf(...ids.map((id) => inSession(id)))).map(({ sessionId }) => sessionId)).toEqual(
      ids,
    )
  }
})

it('reads the same text under several keys of a record, and the last of several under one', () => {
  const texts = ['first of all', 'second to none']
  const [workflow, phase] = [Attribute.WorkflowId, Attribute.PhaseId]
  const keys = ['session.id', workflow, phase, workflow]
  const attributes = keys.map((key, index) => ({
    key,
    value: { stringValue: texts[index === 3 ? 1 : 0] },
  }))
  const expected = { sessionId: texts[0], workflowId: texts[1], phaseId: texts[0] }
  for (let turn = 0; turn < 3; turn++) expect(decode(requestOf({ attributes }))).toMatchObject([expected])
})

it('reads a request after one that it refused halfway', () => {
  const good = requestOf(inSession('before a bad request', 'x'))
  const bad = Buffer.concat([good, Buffer.from([0x0a, 0x7f])])
  expect(() => decode(bad)).toThrow(UndecodableError)
  expect(decode(good)).toMatchObject([{ sessionId: 'before a bad request', data: { text: 'x' } }])
})

it('refuses what takes more than 4 GiB as JSON', () => {
  expect(() => new DecoderMemory().grow(2 ** 32 + 1)).toThrow('send it in several')
})

it('says which name of the compiled module does not fit when that starts', () => {
  const { exports } = DecoderMemory.take(0)
  const renamed = { ...exports, scanAll: exports.scan } as Record<string, unknown>
  expect(() => checkedExports(renamed)).toThrow('exports scanAll, which nobody uses')
  delete renamed.scan
  expect(() => checkedExports(renamed)).toThrow('has no function called scan; make it again: npm run wasm')
})
