import type { IncomingMessage } from 'node:http'
import zlib from 'node:zlib'
import { type RequestBody, UndecodableError } from '../decode/decoded-request.ts'
import { joined, joinedForNow } from '../decode/joined.ts'
import { BodyTooLargeError, ClientGoneError, UnsupportedMediaError } from '../errors.ts'
import type { Ticket } from './admission.ts'
import { LargeBody } from './large-body.ts'

/**
 * The body as it was sent. Its bytes count on the ticket as they arrive; when the ticket is aborted, so is the
 * reading.
 * @throws BodyTooLargeError as soon as the limit is passed, before reading where Content-Length tells
 * @throws UnavailableError when the receiver is full
 * @throws ClientGoneError
 */
export function readBody(
  request: IncomingMessage,
  ticket: Ticket,
  maxBodyBytes: number,
): Promise<RequestBody> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      reject(new BodyTooLargeError(maxBodyBytes))
      return
    }
    const chunks: Buffer[] = []
    let byteLength = 0
    /** Once it is large. */
    let large: LargeBody | null = null
    const fail = (error: unknown) => {
      request.off('data', take)
      chunks.length = 0
      large?.release()
      reject(error)
    }
    const take = (chunk: Buffer) => {
      byteLength += chunk.byteLength
      try {
        if (byteLength > maxBodyBytes) throw new BodyTooLargeError(maxBodyBytes)
        ticket.grow(chunk.byteLength)
        if (large === null) chunks.push(chunk)
        else large.append(chunk)
        if (large === null && byteLength > LARGE_BYTES) {
          large = new LargeBody(maxBodyBytes)
          for (const earlier of chunks.splice(0)) large.append(earlier)
        }
      } catch (error) {
        fail(error)
      }
    }
    const abort = () => fail(ticket.signal.reason)
    ticket.signal.addEventListener('abort', abort)
    request.on('data', take)
    request.on('error', () => fail(new ClientGoneError()))
    request.on('end', () => {
      ticket.signal.removeEventListener('abort', abort)
      resolve(large ?? { chunks, byteLength })
    })
  })
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

/** Decompressing and decoding more may stop everything else for a noticeable time. */
const LARGE_BYTES = 2 ** 20

/**
 * The decompressed body, unless it is larger than 1 MiB: then null.
 * @throws BodyTooLargeError
 * @throws UndecodableError when the body is not what Content-Encoding says
 */
export function decompressSmall(sent: RequestBody, coding: Coding, maxBodyBytes: number): RequestBody | null {
  if (sent.byteLength > LARGE_BYTES) return null
  if (coding === 'identity') return sent
  try {
    const body = decompress(joinedForNow(sent), coding, Math.min(maxBodyBytes, LARGE_BYTES))
    return { chunks: [body], byteLength: body.byteLength }
  } catch (error) {
    if (!(error instanceof BodyTooLargeError)) throw error
    if (maxBodyBytes <= LARGE_BYTES) throw error
    return null
  }
}

/**
 * The decompressed body of any size. It is made on another thread, piece by piece, and counts on the ticket as it
 * grows. Throws as `decompressSmall` and `Ticket.grow` do.
 */
export async function decompressLarge(
  sent: RequestBody,
  coding: Coding,
  ticket: Ticket,
  maxBodyBytes: number,
): Promise<RequestBody> {
  if (coding === 'identity') return sent
  const large = new LargeBody(maxBodyBytes)
  const take = (chunk: Buffer) => {
    if (large.byteLength + chunk.byteLength > maxBodyBytes) throw new BodyTooLargeError(maxBodyBytes)
    ticket.grow(chunk.byteLength)
    large.append(chunk)
  }
  try {
    let rest = joined(sent)
    for (let frames = 0; frames === 0 || (coding === 'zstd' && rest.byteLength > 0); frames++) {
      if (frames === MAX_ZSTD_FRAMES) throw undecodable(coding, TOO_MANY_FRAMES)
      rest = rest.subarray(await inflate(rest, coding, take))
    }
    return large
  } catch (error) {
    large.release()
    throw error
  }
}

/** Hands over what a gzip, deflate or zstd frame becomes; resolves to how long the frame is. */
async function inflate(bytes: Buffer, coding: Coding, take: (chunk: Buffer) => void): Promise<number> {
  const stream = createStream(coding)
  try {
    stream.end(bytes)
    for await (const chunk of stream) take(chunk)
  } catch (error) {
    throw isZlibError(error) ? undecodable(coding, error.message) : error
  } finally {
    stream.destroy()
  }
  return stream.bytesWritten
}

/** Output buffers of this size cost half of what zlib's own 16 KiB do; small bodies get smaller ones. */
const MAX_CHUNK_BYTES = 512 * 1024
const MIN_CHUNK_BYTES = 16 * 1024
const EXPECTED_RATIO = 8

/** RFC 9659: a zstd content coding has a window of at most 8 MiB. */
const ZSTD_PARAMS = { [zlib.constants.ZSTD_d_windowLogMax]: 23 }

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
    throw undecodable(coding, (error as Error).message)
  }
}

function createStream(coding: Coding): zlib.Gunzip | zlib.Inflate | zlib.ZstdDecompress {
  const options = { chunkSize: MAX_CHUNK_BYTES }
  switch (coding) {
    case 'zstd':
      return zlib.createZstdDecompress({ ...options, params: ZSTD_PARAMS })
    case 'deflate':
      return zlib.createInflate(options)
    default:
      return zlib.createGunzip(options)
  }
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(?:Z_|ZSTD_|ERR_ZLIB)/.test(String(error.code))
}

function undecodable(coding: Coding, reason: string): UndecodableError {
  return new UndecodableError(`the body is not ${coding} as Content-Encoding says: ${reason}`)
}

/** Frames cost time each, also empty ones; nobody who streams one body writes this many. */
const MAX_ZSTD_FRAMES = 64
const TOO_MANY_FRAMES = `more than ${MAX_ZSTD_FRAMES} frames`

/** Node decompresses the first frame and is silent about any other. */
function decompressZstd(body: Buffer, options: zlib.ZstdOptions & { maxOutputLength: number }): Buffer {
  const frames: Buffer[] = []
  let bytes = 0
  for (let offset = 0; offset < body.byteLength || frames.length === 0; ) {
    if (frames.length === MAX_ZSTD_FRAMES) throw new Error(TOO_MANY_FRAMES)
    const { buffer, engine } = zlib.zstdDecompressSync(body.subarray(offset), {
      ...options,
      params: ZSTD_PARAMS,
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
