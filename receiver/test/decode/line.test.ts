import { decodeLine, type EventRecord, InvalidEventError } from '@agentic-hooks/events'
import { Random } from '@agentic-hooks/testing/random'
import { expect, it } from 'vitest'
import { jsonDocument } from '../../../system-tests/fuzz/json-documents.ts'
import { UndecodableError } from '../../src/decode/decoded-request.ts'
import { decodeLineBytes } from '../../src/decode/line.ts'

const MICROS = 1_795_370_947_000_000

/** With payloads as JavaScript reads them. */
function comparable({ data, attributes, origin, ...plain }: EventRecord) {
  const parsed = (json: Uint8Array | null | undefined) => json && JSON.parse(Buffer.from(json).toString())
  return {
    ...plain,
    data: parsed(data),
    attributes: parsed(attributes),
    resource: parsed(origin?.resource) ?? null,
    scope: parsed(origin?.scope) ?? null,
  }
}

/** What both readers of a line make of it, or how they refuse it. */
function readBoth(line: string): [unknown, unknown] {
  const outcome = (read: () => EventRecord) => {
    try {
      return comparable(read())
    } catch (error) {
      if (error instanceof InvalidEventError) return error.fields
      if (error instanceof SyntaxError || error instanceof UndecodableError) return 'not JSON'
      throw error
    }
  }
  return [
    outcome(() => decodeLineBytes(Buffer.from(line), MICROS)),
    outcome(() => decodeLine(line.replace(/^\uFEFF/, ''), MICROS)),
  ]
}

it.each([
  '{"event_id":"01a2044a-9957-7776-9216-4834b8d50546","event_type":"t","session_id":"s","data":{"a":1}}',
  '{"event_type":"t","tool":"Bash","severity":9,"attributes":{"a":1},"timestamp":"2026-11-22T15:36:00.123456+00:00"}',
  '{"event_type":"t","data":{"a":1,"tool":"x"},"tool":"Bash","more":[{}]}',
  '{"event_type":"t","data":null,"tool":"Bash"}',
  '{"event_type":"t","data":[1],"tool":"Bash"}',
  '{"event_type":"t","dat\\u0061":{},"\\u0074ool":"Bash"}',
  '{"event_type":"t","event_id":"toolu_1","attributes":{"a":1}}',
  ' {"event_type":"t"} \r',
  '\uFEFF{"event_type":"t"}',
  '{"event_type":"t","__proto__":{"a":1}}',
  '[]',
  '{"event_type":',
  '{"event_type":1,"timestamp":"yesterday"}',
])('reads a line as the reader in TypeScript does: %s', (line) => {
  const [ours, theirs] = readBoth(line)
  expect(ours).toEqual(theirs)
})

it('reads lines by chance as the reader in TypeScript does', () => {
  const random = new Random(5)
  const names = [
    'data',
    'attributes',
    'resource',
    'scope',
    'severity',
    'timestamp',
    'tool',
    '__proto__',
    'd\\u0061ta',
  ]
  for (let index = 0; index < 2_000; index++) {
    const members = Array.from(
      { length: random.between(0, 4) },
      () => `"${random.pick(names)}":${jsonDocument(random)}`,
    )
    const line = `{"event_type":"t",${members.join(',')}${members.length ? ',' : ''}"session_id":"s"}`
    if (line.includes('\n') || line.includes('\r')) continue
    const [ours, theirs] = readBoth(line)
    expect(ours, line).toEqual(theirs)
  }
})
