import { batchOf } from '@agentic-hooks/events'
import { sampleRecords } from '@agentic-hooks/events/testing'
import { expect, it } from 'vitest'
import { partsOf } from '../src/ingest/batch-parts.ts'

const [record] = sampleRecords(1)
const MIB = 2 ** 20

it('hands on a small batch as it is, an empty one as well', () => {
  for (const batch of [batchOf(sampleRecords(50)), batchOf([])]) expect([...partsOf(batch)]).toEqual([batch])
})

it('cuts a batch of many events into parts that have all of them, in their order', () => {
  const batch = batchOf(sampleRecords(12_000))
  const parts = [...partsOf(batch)]
  expect(parts.length).toBeGreaterThan(2)
  expect(parts.flatMap(({ events }) => events)).toEqual(batch.events)
  for (const { receivedAtMicros } of parts) expect(receivedAtMicros).toBe(batch.receivedAtMicros)
})

it('cuts by what a store writes of an event, its resource included, and never an event in two', () => {
  const origin = { resource: Buffer.alloc(MIB), scope: null }
  const events = [...Array(5).fill({ ...record!, origin }), { ...record!, data: Buffer.alloc(8 * MIB) }]
  expect([...partsOf(batchOf(events))].map((part) => part.events.length)).toEqual([1, 1, 1, 1, 1, 1])
})
