import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import type { ClientConfig } from '../options/config.ts'
import type { HookLogRecord } from '../record/log-record.ts'

export const CONTENT_TYPES = {
  'http/protobuf': 'application/x-protobuf',
  'http/json': 'application/json',
} as const

/** The body of an export request. */
export async function serialize(
  records: readonly HookLogRecord[],
  { protocol, compression }: Pick<ClientConfig, 'protocol' | 'compression'>,
): Promise<Uint8Array> {
  const body =
    protocol === 'http/json'
      ? withExactNumbers(JsonLogsSerializer.serializeRequest([...records])!)
      : ProtobufLogsSerializer.serializeRequest([...records])!
  return compression === 'gzip' ? compress(body) : body
}

/** In a thread of its own, so that the event loop goes on. */
function compress(body: Uint8Array): Promise<Uint8Array> {
  const { gzip } = process.getBuiltinModule('node:zlib')
  return new Promise((resolve, reject) =>
    gzip(body, (error, gzipped) => (error ? reject(error) : resolve(gzipped))),
  )
}

/** Unquoted digits beyond 2^53, or an exponent; `"intValue":` stands nowhere else, since quotes in texts are escaped. */
const INEXACT_INTEGER = /"intValue":(-?\d{16,}|-?\d(?:\.\d+)?e\+\d+)/g

/**
 * The JSON serializer writes every whole number as `intValue`: those that JavaScript prints rounded get all their
 * digits, and those beyond 64 bits become a `doubleValue`, as the protobuf serializer has it.
 */
function withExactNumbers(json: Uint8Array): Uint8Array {
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()
  INEXACT_INTEGER.lastIndex = 0
  if (!INEXACT_INTEGER.test(text)) return json
  return Buffer.from(
    text.replace(INEXACT_INTEGER, (_, digits) => {
      const exact = BigInt(Number(digits))
      return BigInt.asIntN(64, exact) === exact ? `"intValue":"${exact}"` : `"doubleValue":${digits}`
    }),
  )
}
