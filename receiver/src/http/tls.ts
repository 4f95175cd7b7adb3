import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { RequestListener, ServerOptions } from 'node:http'
import https from 'node:https'
import type { Logger } from 'pino'
import { type Config, ConfigError } from '../config/options.ts'

const FILE_POLL_MILLIS = 1_000
const MIN_VERSION = 'TLSv1.2'
/** All there are of TLS 1.3, and of TLS 1.2 those with forward secrecy and authenticated encryption. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Files in PEM; with an authority for clients TLS is mutual. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string | undefined
}

/** Null when the configuration names none. */
export function tlsFilesOf(
  config: Pick<Config, 'tlsCertFile' | 'tlsKeyFile' | 'tlsClientCaFile'>,
): TlsFiles | null {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile } = config
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return null
  return { certFile: tlsCertFile, keyFile: tlsKeyFile, clientCaFile: tlsClientCaFile }
}

/** @throws ConfigError when a file cannot be used */
export function createTlsServer(
  settings: ServerOptions,
  files: TlsFiles,
  listener: RequestListener,
): https.Server {
  const mutual = files.clientCaFile !== undefined
  const server = https.createServer(
    { ...settings, requestCert: mutual, rejectUnauthorized: mutual },
    listener,
  )
  useFiles(server, files)
  return server
}

/**
 * New connections get what the files hold now; while they cannot be used, as between the renewal of a certificate
 * and that of its key, what they held before. Returns what ends it.
 */
export function watchTlsFiles(server: https.Server, files: TlsFiles, log: Logger): () => void {
  const paths = [files.certFile, files.keyFile, files.clientCaFile].filter((path) => path !== undefined)
  const reload = () => {
    try {
      useFiles(server, files)
      log.info({ files: paths }, 'TLS files read again')
    } catch (error) {
      log.error({ err: error, files: paths }, 'TLS files could not be read again; the old ones stay in use')
    }
  }
  // Polled, because the files of mounted secrets are replaced by links and never change themselves.
  for (const path of paths) watchFile(path, { interval: FILE_POLL_MILLIS, persistent: false }, reload)
  return () => {
    for (const path of paths) unwatchFile(path, reload)
  }
}

function useFiles(server: https.Server, { certFile, keyFile, clientCaFile }: TlsFiles): void {
  const cert = readFile('TLS_CERT_FILE', certFile)
  const key = readFile('TLS_KEY_FILE', keyFile)
  const ca = clientCaFile === undefined ? undefined : readFile('TLS_CLIENT_CA_FILE', clientCaFile)
  try {
    server.setSecureContext({ cert, key, minVersion: MIN_VERSION, ciphers: CIPHERS, ...(ca && { ca }) })
  } catch (error) {
    throw new ConfigError(`TLS_CERT_FILE, TLS_KEY_FILE or TLS_CLIENT_CA_FILE: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function readFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ConfigError(`${option} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
