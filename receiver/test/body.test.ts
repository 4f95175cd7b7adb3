import type { IncomingMessage } from 'node:http'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { UndecodableError } from '../src/decode/decoded-request.ts'
import { joined } from '../src/decode/joined.ts'
import { BodyTooLargeError, UnsupportedMediaError } from '../src/errors.ts'
import { Admission } from '../src/ingest/admission.ts'
import {
  type Coding,
  contentCoding,
  decompress,
  decompressLarge,
  decompressSmall,
} from '../src/ingest/body.ts'

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

describe('decompressSmall', () => {
  const sent = (body: Buffer) => ({ chunks: [body], byteLength: body.byteLength })

  it.each(CODINGS)('leaves what %s makes larger than 1 MiB alone', (coding, compress) => {
    expect(decompressSmall(sent(compress(Buffer.alloc(2 ** 20))), coding, 64 * LIMIT)?.byteLength).toBe(
      2 ** 20,
    )
    expect(decompressSmall(sent(compress(Buffer.alloc(2 ** 20 + 1))), coding, 64 * LIMIT)).toBeNull()
  })

  it('refuses what is larger than a limit below that', () => {
    const bomb = zlib.gzipSync(Buffer.alloc(5_000))
    expect(() => decompressSmall(sent(bomb), 'gzip', 4_999)).toThrow(BodyTooLargeError)
  })
})

describe('decompressLarge', () => {
  const large = (body: Buffer, coding: Coding, maxBytes = 2 * LIMIT, maxBytesInFlight = 8 * LIMIT) => {
    const ticket = new Admission(maxBytesInFlight).enter()
    return decompressLarge({ chunks: [body], byteLength: body.byteLength }, coding, ticket, maxBytes)
  }

  it.each(CODINGS)('undoes %s', async (coding, compress) => {
    const plain = Buffer.from('0123456789'.repeat(LIMIT / 10))
    const body = await large(compress(plain), coding)
    expect(joined(body).equals(plain)).toBe(true)
    expect(body.byteLength).toBe(LIMIT)
    body.release!()
    expect(body.byteLength).toBe(0)
  })

  it.each(CODINGS)('takes %s of exactly the limit and not a byte more', async (coding, compress) => {
    expect((await large(compress(Buffer.alloc(2 * LIMIT)), coding)).byteLength).toBe(2 * LIMIT)
    await expect(large(compress(Buffer.alloc(2 * LIMIT + 1)), coding)).rejects.toThrow(BodyTooLargeError)
  })

  it.each(CODINGS)('refuses %s that is cut, or something else', async (coding, compress) => {
    const compressed = compress(Buffer.alloc(LIMIT))
    await expect(large(compressed.subarray(0, -1), coding)).rejects.toThrow(UndecodableError)
    await expect(large(Buffer.from('something else'), coding)).rejects.toThrow(UndecodableError)
  })

  it.each(CODINGS)('stops %s when there is no memory for it', async (coding, compress) => {
    await expect(large(compress(Buffer.alloc(LIMIT)), coding, LIMIT, LIMIT / 2)).rejects.toThrow(
      'MAX_BYTES_IN_FLIGHT',
    )
  })

  it('joins the frames of zstd, but not countless ones', async () => {
    const frame = zlib.zstdCompressSync(Buffer.alloc(LIMIT / 2))
    expect((await large(Buffer.concat([frame, frame]), 'zstd')).byteLength).toBe(LIMIT)
    const empty = zlib.zstdCompressSync(Buffer.alloc(0))
    await expect(large(Buffer.concat(Array(100).fill(empty)), 'zstd')).rejects.toThrow('frames')
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
