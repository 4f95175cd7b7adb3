import { describe, expect, it } from 'vitest'
import { batchOf, isEventReader, Severity, severityOf } from '../src/index.ts'
import { SinkExporter, sampleRecord } from '../src/testing/index.ts'

describe('severityOf', () => {
  it.each([
    ['tool_blocked', { success: false }, Severity.Warn],
    ['tool_execution_completed', { success: false }, Severity.Error],
    ['tool_execution_completed', { success: true }, Severity.Info],
    ['error_occurred', undefined, Severity.Error],
    ['custom', undefined, Severity.Info],
  ])('of %s with %o is %i', (type, data, severity) => {
    expect(severityOf(type, data)).toBe(severity)
  })
})

describe('batchOf', () => {
  it('counts the bytes that the records hold', () => {
    const data = Buffer.alloc(1000, ' ')
    const batch = batchOf([sampleRecord({ data }), sampleRecord({ data, attributes: data })], 5)
    expect(batch.receivedAtMicros).toBe(5)
    expect(batch.byteLength).toBeGreaterThan(3000)
  })
})

describe('isEventReader', () => {
  it('is false for an exporter that only stores', () => {
    expect(isEventReader(new SinkExporter())).toBe(false)
    expect(
      isEventReader(Object.assign(new SinkExporter(), { readEvents: () => {}, readSessions: () => {} })),
    ).toBe(true)
  })
})
