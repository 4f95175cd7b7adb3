import type { IncomingMessage } from 'node:http'
import zlib from 'node:zlib'
import type { Ticket } from './admission.ts'
import { UndecodableError } from './decode/decoded-request.ts'
import { BodyTooLargeError, ClientGoneError, UnsupportedMediaError } from './failures.ts'

/** A body as it was sent, in the pieces that arrived. */
export interface SentBody {
  readonly chunks: readonly Buffer[]
  readonly byteLength: number
}

/**
 * The body as it was sent. Its bytes count on the ticket as they arrive; when the ticket is aborted, so is the
 * reading.
 * @throws BodyTooLargeError as soon as the limit is passed, before reading where Content-Length tells
 * @throws UnavailableError when the receiver is full
 * @throws ClientGoneError
 */
export function readBody(request: IncomingMessage, ticket: Ticket, maxBodyBytes: number): Promise<SentBody> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      reject(new BodyTooLargeError(maxBodyBytes))
      return
    }
    const chunks: Buffer[] = []
    let byteLength = 0
    const fail = (error: unknown) => {
      request.off('data', take)
      chunks.length = 0
      reject(error)
    }
    const take = (chunk: Buffer) => {
      byteLength += chunk.byteLength
      try {
        if (byteLength > maxBodyBytes) throw new BodyTooLargeError(maxBodyBytes)
        ticket.grow(chunk.byteLength)
        chunks.push(chunk)
      } catch (error) {
        fail(error)
      }
    }
    ticket.signal.addEventListener('abort', () => fail(ticket.signal.reason))
    request.on('data', take)
    request.on('error', () => fail(new ClientGoneError()))
    request.on('end', () => resolve({ chunks, byteLength }))
  })
}

/** Its bytes in one piece. */
export function joined({ chunks, byteLength }: SentBody): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, byteLength)
}

/** Grows to the largest body that is not large. */
let shared = Buffer.alloc(0)

/**
 * Its bytes in one piece until the next call: memory that is allocated for each body makes the engine collect its
 * whole heap several times a second.
 */
export function joinedForNow({ chunks, byteLength }: SentBody): Buffer {
  if (chunks.length === 1) return chunks[0]!
  if (byteLength > shared.byteLength) shared = Buffer.allocUnsafeSlow(byteLength)
  let offset = 0
  for (const chunk of chunks) {
    shared.set(chunk, offset)
    offset += chunk.byteLength
  }
  return shared.subarray(0, byteLength)
}

const SUPPORTED_CODINGS = 'gzip, deflate, zstd'

export type Coding = 'identity' | 'gzip' | 'deflate' | 'zstd'

/**
 * What Content-Encoding says. One coding only, which also keeps bombs from nesting.
 * @throws UnsupportedMediaError for any other
 */
export function contentCoding(request: IncomingMessage): Coding {
  const header = request.headers['content-encoding']
  const coding = header?.trim().toLowerCase() || 'identity'
  switch (coding) {
    case 'identity':
    case 'gzip':
    case 'deflate':
    case 'zstd':
      return coding
    case 'x-gzip':
      return 'gzip'
  }
  throw new UnsupportedMediaError(
    `Content-Encoding ${JSON.stringify(header)} is not supported; use one of ${SUPPORTED_CODINGS} or none`,
    { 'accept-encoding': SUPPORTED_CODINGS },
  )
}

const LARGE_BYTES = 2 ** 20
const LARGE_COMPRESSED_BYTES = 2 ** 14

/** Whether decompressing and decoding it may stop everything else for a noticeable time. */
export function isLarge(body: SentBody, coding: Coding): boolean {
  return body.byteLength > (coding === 'identity' ? LARGE_BYTES : LARGE_COMPRESSED_BYTES)
}

/** Output buffers of this size cost half of what zlib's own 16 KiB do; small bodies get smaller ones. */
const MAX_CHUNK_BYTES = 512 * 1024
const MIN_CHUNK_BYTES = 16 * 1024
const EXPECTED_RATIO = 8

/** RFC 9659: a zstd content coding has a window of at most 8 MiB. */
const MAX_ZSTD_WINDOW_LOG = 23

/**
 * Decompresses on this thread: asynchronously it costs nearly three times the CPU.
 * @throws BodyTooLargeError without having held more than twice the limit
 * @throws UndecodableError when the body is not what Content-Encoding says
 */
export function decompress(body: Buffer, coding: Coding, maxBodyBytes: number): Buffer {
  const options = {
    chunkSize: Math.min(Math.max(body.byteLength * EXPECTED_RATIO, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES),
    maxOutputLength: maxBodyBytes,
  }
  try {
    switch (coding) {
      case 'identity':
        return body
      case 'gzip':
        return zlib.gunzipSync(body, options)
      case 'deflate':
        return zlib.inflateSync(body, options)
      case 'zstd':
        return decompressZstd(body, options)
    }
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw error
    if (isTooLarge(error)) throw new BodyTooLargeError(maxBodyBytes)
    throw new UndecodableError(
      `the body is not ${coding} as Content-Encoding says: ${(error as Error).message}`,
    )
  }
}

/** Frames cost time each, also empty ones; nobody who streams one body writes this many. */
const MAX_ZSTD_FRAMES = 64

/** Node decompresses the first frame and is silent about any other. */
function decompressZstd(body: Buffer, options: zlib.ZstdOptions & { maxOutputLength: number }): Buffer {
  const frames: Buffer[] = []
  let bytes = 0
  for (let offset = 0; offset < body.byteLength || frames.length === 0; ) {
    if (frames.length === MAX_ZSTD_FRAMES) throw new Error(`more than ${MAX_ZSTD_FRAMES} frames`)
    const { buffer, engine } = zlib.zstdDecompressSync(body.subarray(offset), {
      ...options,
      params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
      info: true,
    }) as unknown as { buffer: Buffer; engine: zlib.ZstdDecompress }
    bytes += buffer.byteLength
    if (bytes > options.maxOutputLength) throw new BodyTooLargeError(options.maxOutputLength)
    frames.push(buffer)
    offset += engine.bytesWritten
  }
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, bytes)
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}
