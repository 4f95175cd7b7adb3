import { describe, expect, it } from 'vitest'
import { RequestTooLargeError } from '../src/decode/decoded-request.ts'
import { ClientGoneError, UnavailableError } from '../src/errors.ts'
import { Admission } from '../src/ingest/admission.ts'

describe('Admission', () => {
  it('counts a body as it arrives, then with its decompressed size, until it leaves', () => {
    const admission = new Admission(1000)
    const ticket = admission.enter()
    ticket.grow(100)
    ticket.grow(50)
    expect(admission.bytesInFlight).toBe(150)
    ticket.arrived(600)
    expect(admission.bytesInFlight).toBe(600)
    ticket.leave()
    ticket.leave()
    expect(admission).toMatchObject({ bytesInFlight: 0, requestsInFlight: 0 })
  })

  it('refuses what has no room and keeps what is there', () => {
    const admission = new Admission(1000)
    const stored = admission.enter()
    stored.arrived(900)
    const newcomer = admission.enter()
    expect(() => newcomer.grow(101)).toThrow(UnavailableError)
    newcomer.grow(100)
    expect(stored.signal.aborted).toBe(false)
    expect(admission.bytesInFlight).toBe(1000)
  })

  it('lets the largest body that is still arriving make way for a smaller one', () => {
    const admission = new Admission(1000)
    const [small, large, stored] = [admission.enter(), admission.enter(), admission.enter()]
    stored.arrived(500)
    small.grow(100)
    large.grow(400)
    const newcomer = admission.enter()
    newcomer.grow(200)
    expect(large.signal.reason).toBeInstanceOf(UnavailableError)
    expect([small, stored, newcomer].map(({ signal }) => signal.aborted)).toEqual([false, false, false])
    expect(admission.bytesInFlight).toBe(800)
  })

  it('refuses for good what could not be taken even if there were nothing else', () => {
    const ticket = new Admission(1000).enter()
    ticket.grow(900)
    expect(() => ticket.grow(101)).toThrow(RequestTooLargeError)
  })

  it('lets a large body that is still arriving make way for one that is being decoded', () => {
    const admission = new Admission(10 * 2 ** 20)
    const [small, large, decoding] = [admission.enter(), admission.enter(), admission.enter()]
    decoding.grow(5 * 2 ** 20)
    decoding.decode()
    small.grow(1000)
    large.grow(4 * 2 ** 20)
    decoding.grow(2 * 2 ** 20)
    expect([small, large].map(({ signal }) => signal.aborted)).toEqual([false, true])
  })

  it('lets what is being decoded make way for a smaller request where nothing is arriving', () => {
    const admission = new Admission(1000)
    const [decoding, newcomer] = [admission.enter(), admission.enter()]
    decoding.decode()
    decoding.grow(950)
    newcomer.grow(100)
    expect(decoding.signal.reason).toBeInstanceOf(UnavailableError)
  })

  it('has decoding wait for room while others are stored, and only then', async () => {
    const admission = new Admission(1000)
    await admission.room()
    const [stored, decoding] = [admission.enter(), admission.enter()]
    decoding.decode()
    decoding.grow(300)
    stored.arrived(600)
    let hasRoom = false
    const room = admission.room().then(() => {
      hasRoom = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(hasRoom).toBe(false)
    stored.leave()
    await room
    decoding.grow(600)
    await admission.room()
  })

  it('does not trade a body for a larger one', () => {
    const admission = new Admission(1000)
    const arriving = admission.enter()
    arriving.grow(400)
    const newcomer = admission.enter()
    newcomer.grow(500)
    expect(() => newcomer.grow(200)).toThrow(UnavailableError)
    expect(arriving.signal.aborted).toBe(false)
  })

  it('keeps the bytes of an aborted batch until its exporters let go of it', () => {
    const admission = new Admission(1000)
    const ticket = admission.enter()
    ticket.arrived(700)
    ticket.abort(new ClientGoneError())
    expect(admission.bytesInFlight).toBe(700)
    ticket.leave()
    expect(admission.bytesInFlight).toBe(0)
  })

  it('tells clients to come back after a longer time when nothing is being stored', () => {
    const admission = new Admission(1000)
    admission.enter().arrived(1000)
    expect(admission.retryAfterSeconds()).toBe(10)
  })

  it('tells clients to come back in a second when the rest is stored by then', () => {
    const admission = new Admission(1_000_000)
    const stored = admission.enter()
    stored.arrived(1_000_000)
    stored.leave()
    admission.enter().arrived(1000)
    expect(admission.retryAfterSeconds()).toBe(1)
  })

  it('knows the age of the oldest request in flight', () => {
    const admission = new Admission(1000)
    expect(admission.oldestAgeMillis()).toBe(0)
    const oldest = admission.enter()
    const second = admission.enter()
    const age = admission.oldestAgeMillis()
    oldest.leave()
    expect(performance.now() - second.startedAtMillis).toBeLessThanOrEqual(admission.oldestAgeMillis())
    expect(age).toBeGreaterThan(0)
  })
})
