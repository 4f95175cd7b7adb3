import { type EventRecord, encodeJson, parseNumber } from '@agentic-hooks/events'
import { JsonParser } from '@agentic-hooks/events/testing'
import { claudeCode, decodeHook, decodeRestEvent, UndecodableError } from '@agentic-hooks/receiver/decode'
import { Random } from '@agentic-hooks/testing/random'
import type { FuzzOptions } from './fuzz.ts'
import { jsonDocument } from './json-documents.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const readHook = decodeHook(claudeCode)

export interface JsonFuzzResult {
  readonly read: number
  readonly refused: number
  /** Documents that were read otherwise than by a parser of JavaScript objects, or only by one of the two. */
  readonly failures: readonly string[]
}

/**
 * Compares what becomes of JSON documents in REST and hooks with what a parser in TypeScript and, where a document has
 * nothing that it does not know, JSON.parse make of them.
 */
export function fuzzJson({ seed, bodies, report = () => {} }: FuzzOptions): JsonFuzzResult {
  const random = new Random(seed)
  const failures: string[] = []
  const counts = { read: 0, refused: 0 }
  for (let index = 0; index < bodies; index++) {
    const document = jsonDocument(random)
    const problem = compare(document, counts)
    if (problem) failures.push(`document ${index} of seed ${seed}: ${problem}: ${JSON.stringify(document)}`)
    if (index % 100_000 === 99_999)
      report(`${index + 1} documents, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`)
  }
  return { ...counts, failures }
}

/** What is different; null when nothing is. */
export function compare(document: string, counts = { read: 0, refused: 0 }): string | null {
  const text = Buffer.from(document).toString() // Lone surrogates of a damaged text are U+FFFD from here on.
  const expected = expectedOf(text)
  const isNormal = !/NaN|Infinity/.test(text)
  if (isNormal && isJson(text) !== (expected !== null))
    return 'the parser in TypeScript differs from JSON.parse'
  const event = `{"event_type":"t","session_id":"s","data":{"v":${text}}}`
  const stored = storedOf(() => decodeRestEvent(Buffer.from(event), RECEIVED_AT_MICROS).batch.events)
  if (expected === null) {
    counts.refused++
    // Together with what is around it, a text that is none can be one.
    return stored !== null && !isReadWith(event) ? 'REST reads what is no JSON' : null
  }
  counts.read++
  if (stored !== `{"v":${expected}}`) return `REST stores ${stored}, not ${expected}`
  const hook = `{"hook_event_name":"Unknown","session_id":"s","v":${text}}`
  const inHook = storedOf(() => readHook(Buffer.from(hook), RECEIVED_AT_MICROS).batch.events)
  const whole = `{"hook_event_name":"Unknown","session_id":"s","v":${expected}}`
  return inHook === whole ? null : `a hook stores ${inHook}, not ${whole}`
}

/** The value as it is stored; null for what is no JSON. */
function expectedOf(text: string): string | null {
  try {
    return encodeJson(new JsonParser(text, parseNumber).parse(), 1)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function isReadWith(event: string): boolean {
  return expectedOf(event) !== null
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** With one member for each key, and numbers in the spelling of JavaScript; null for what is refused. */
function storedOf(read: () => readonly EventRecord[]): string | null {
  let events: readonly EventRecord[]
  try {
    events = read()
  } catch (error) {
    if (error instanceof UndecodableError) return null
    throw error
  }
  return expectedOf(Buffer.from(events[0]!.data).toString())
}
