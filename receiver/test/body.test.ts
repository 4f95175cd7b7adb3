import type { IncomingMessage } from 'node:http'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { UndecodableError } from '../src/decode/decoded-request.ts'
import { BodyTooLargeError, UnsupportedMediaError } from '../src/errors.ts'
import { type Coding, contentCoding, decompress } from '../src/ingest/body.ts'

const LIMIT = 1_000_000
const body = Buffer.from('{"a":1}'.repeat(1000))
const CODINGS: [Coding, (body: Buffer) => Buffer][] = [
  ['gzip', (body) => zlib.gzipSync(body)],
  ['deflate', (body) => zlib.deflateSync(body)],
  ['zstd', (body) => zlib.zstdCompressSync(body)],
]

describe('decompress', () => {
  it.each(CODINGS)('undoes %s', (coding, compress) => {
    expect(decompress(compress(body), coding, LIMIT)).toEqual(body)
  })

  it.each(CODINGS)('takes %s of exactly the limit and not a byte more', (coding, compress) => {
    expect(decompress(compress(Buffer.alloc(LIMIT)), coding, LIMIT)).toHaveLength(LIMIT)
    expect(() => decompress(compress(Buffer.alloc(LIMIT + 1)), coding, LIMIT)).toThrow(BodyTooLargeError)
  })

  it.each(CODINGS)('refuses %s that is cut anywhere', (coding, compress) => {
    const compressed = compress(body)
    for (let length = 0; length < compressed.byteLength; length++) {
      expect(() => decompress(compressed.subarray(0, length), coding, LIMIT)).toThrow(UndecodableError)
    }
  })

  it('hands the body on as it is without a coding', () => {
    expect(decompress(body, 'identity', LIMIT)).toBe(body)
  })

  it('refuses zstd with something after its last frame', () => {
    const trailed = Buffer.concat([zlib.zstdCompressSync(body), Buffer.from('and more')])
    expect(() => decompress(trailed, 'zstd', LIMIT)).toThrow(UndecodableError)
  })

  it('counts the frames of zstd together', () => {
    const half = zlib.zstdCompressSync(Buffer.alloc(LIMIT / 2 + 1))
    expect(() => decompress(Buffer.concat([half, half]), 'zstd', LIMIT)).toThrow(BodyTooLargeError)
  })

  it('refuses a zstd body of countless empty frames', () => {
    const empty = zlib.zstdCompressSync(Buffer.alloc(0))
    expect(() => decompress(Buffer.concat(Array(100_000).fill(empty)), 'zstd', LIMIT)).toThrow('frames')
  })

  it('refuses a zstd window of more than 8 MiB, which the decoder would have to allocate', () => {
    const params = { [zlib.constants.ZSTD_c_windowLog]: 27, [zlib.constants.ZSTD_c_contentSizeFlag]: 0 }
    const wide = zlib.zstdCompressSync(Buffer.alloc(20_000_000), { params, pledgedSrcSize: undefined })
    expect(() => decompress(wide, 'zstd', 64 * LIMIT)).toThrow(UndecodableError)
  })
})

describe('contentCoding', () => {
  const codingOf = (header: string | undefined) => {
    const headers = header === undefined ? {} : { 'content-encoding': header }
    return contentCoding({ headers } as IncomingMessage)
  }

  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['identity', 'identity'],
    ['gzip', 'gzip'],
    [' GZip ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['zstd', 'zstd'],
  ])('takes %j for %s', (header, coding) => {
    expect(codingOf(header)).toBe(coding)
  })

  it.each(['br', 'gzip, gzip', 'gzip,zstd', 'identity, gzip', 'snappy'])('does not take %s', (header) => {
    expect(() => codingOf(header)).toThrow(UnsupportedMediaError)
  })
})
