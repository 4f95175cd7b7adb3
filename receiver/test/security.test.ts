import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { type HttpRequest, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { startReceiver } from '@agentic-hooks/testing/receiver'
import pino from 'pino'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const file = (name: string) => fileURLToPath(new URL(`support/tls/${name}`, import.meta.url))
const pem = (name: string) => readFileSync(file(name))

const SERVER = { TLS_CERT_FILE: file('server.pem'), TLS_KEY_FILE: file('server-key.pem') }
const MUTUAL = { ...SERVER, TLS_CLIENT_CA_FILE: file('ca.pem') }
const LOGS: HttpRequest = { path: '/v1/logs', headers: { 'content-type': 'application/json' }, body: '{}' }

function sendTls(url: string, options: https.RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = https.request(`${url}/v1/logs`, {
      method: 'POST',
      agent: false,
      ca: pem('ca.pem'),
      headers: { 'content-type': 'application/json' },
      ...options,
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.on('error', reject)
    request.end('{}')
  })
}

/** The subject's name in the certificate that a new connection gets. */
function certificateName(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

/** Certificate and key files that may be replaced. */
function ownTlsFiles() {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const files = { TLS_CERT_FILE: join(folder, 'cert.pem'), TLS_KEY_FILE: join(folder, 'key.pem') }
  copyFileSync(file('server.pem'), files.TLS_CERT_FILE)
  copyFileSync(file('server-key.pem'), files.TLS_KEY_FILE)
  return files
}

const RELOAD_MILLIS = 10_000

describe('TLS', () => {
  it('gives new connections a renewed certificate, and the old one until its key is renewed too', async () => {
    const files = ownTlsFiles()
    const logged: string[] = []
    const log = pino({ level: 'info' }, { write: (line) => void logged.push(line) })
    await using receiver = await startTestReceiver([new SinkExporter()], files, log)
    const before = await certificateName(receiver.url)

    copyFileSync(file('client.pem'), files.TLS_CERT_FILE)
    await vi.waitFor(() => expect(logged.join()).toContain('the old ones stay in use'), RELOAD_MILLIS)
    expect(await certificateName(receiver.url)).toBe(before)

    copyFileSync(file('client-key.pem'), files.TLS_KEY_FILE)
    await vi.waitFor(() => expect(logged.join()).toContain('TLS files read again'), RELOAD_MILLIS)
    expect(await certificateName(receiver.url)).not.toBe(before)
  })

  it('answers over HTTPS', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], SERVER)
    expect(receiver.url).toMatch(/^https:/)
    expect(await sendTls(receiver.url, {})).toBe(200)
  })

  it('has no cipher without forward secrecy or authenticated encryption', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], SERVER)
    const old = (ciphers: string) => sendTls(receiver.url, { maxVersion: 'TLSv1.2', ciphers })
    expect(await old('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe(200)
    const refused = ['AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256']
    for (const cipher of refused) await expect(old(cipher), cipher).rejects.toThrow(/handshake failure/)
  })

  it('takes nothing over HTTP then', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], SERVER)
    await expect(send(receiver.url.replace('https', 'http'), LOGS)).rejects.toThrow()
  })

  it('with an authority for clients, takes those that it signed', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], MUTUAL)
    const client = { cert: pem('client.pem'), key: pem('client-key.pem') }
    expect(await sendTls(receiver.url, client)).toBe(200)
  })

  it('with an authority for clients, takes no others', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], MUTUAL)
    await expect(sendTls(receiver.url, {})).rejects.toThrow(/certificate required|ECONNRESET|EPIPE/)
  })

  it.each([
    [{ ...SERVER, TLS_KEY_FILE: file('nothing.pem') }, 'TLS_KEY_FILE cannot be read'],
    [
      { ...SERVER, TLS_KEY_FILE: file('client-key.pem') },
      'TLS_CERT_FILE, TLS_KEY_FILE or TLS_CLIENT_CA_FILE',
    ],
  ])('does not start with wrong files', async (env, message) => {
    await expect(startTestReceiver([new SinkExporter()], env)).rejects.toThrow(message)
  })
})

describe('CORS', () => {
  const origin = 'https://app.example.com'
  const preflight: HttpRequest = {
    method: 'OPTIONS',
    path: '/v1/logs',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    },
  }

  it('allows no web page anything by default', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    const answer = await send(receiver.url, preflight)
    expect(answer.status).toBe(405)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('allows the pages of a listed origin to post', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { CORS_ORIGINS: origin })
    const answer = await send(receiver.url, preflight)
    expect(answer.status).toBe(204)
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type',
    })
    const posted = await send(receiver.url, { ...LOGS, headers: { ...LOGS.headers, origin } })
    expect(posted.headers['access-control-allow-origin']).toBe(origin)
  })

  it('allows the pages of other origins nothing', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { CORS_ORIGINS: origin })
    const headers = { ...preflight.headers, origin: 'https://evil.example.com' }
    const answer = await send(receiver.url, { ...preflight, headers })
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('lets the pages of a listed origin read nothing that GET answers', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()], { CORS_ORIGINS: origin })
    for (const path of ['/metrics', '/health']) {
      const answer = await send(receiver.url, { method: 'GET', path, headers: { origin } })
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, undefined])
    }
  })

  it.each(['*', 'null', 'app.example.com', 'https://app.example.com/path', 'ftp://app.example.com'])(
    'takes origins only: not %s',
    async (value) => {
      await expect(startTestReceiver([new SinkExporter()], { CORS_ORIGINS: value })).rejects.toThrow(
        'it must be origins separated by commas, such as https://app.example.com',
      )
    },
  )

  it.each(['/events', '/events/batch'])(
    '%s takes no body that a page may send without asking',
    async (path) => {
      await using receiver = await startTestReceiver([new SinkExporter()])
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined]) {
        const headers = type === undefined ? {} : { 'content-type': type }
        const body = '{"event_type":"custom","session_id":"s"}'
        expect((await send(receiver.url, { path, headers, body })).status).toBe(415)
      }
    },
  )
})

describe('names that every object has', () => {
  const NAMES = Object.getOwnPropertyNames(Object.prototype)

  it.each([
    [undefined, 415],
    ['secret', 401],
  ])('are media types that nobody takes, and end nothing; with AUTH_TOKENS=%s', async (tokens, status) => {
    const env = tokens === undefined ? undefined : { AUTH_TOKENS: tokens }
    await using receiver = await startTestReceiver([new SinkExporter()], env)
    for (const path of ['/v1/logs', '/v1/logs?', '/events', '/events/batch', '/hooks/claude-code', '/v1/x']) {
      for (const name of NAMES) {
        const headers = { 'content-type': name, 'content-encoding': name, [name]: name }
        const answer = await send(receiver.url, { path, headers, body: '{}' })
        expect([path, name, answer.status]).toEqual([
          path,
          name,
          path === '/v1/x' && status === 415 ? 404 : status,
        ])
      }
    }
  })

  it('are no routes, agents or codings', async () => {
    await using receiver = await startTestReceiver([new SinkExporter()])
    for (const name of NAMES) {
      for (const path of [`/${name}`, `/hooks/${name}`, `/health/${name}`, `/v1/${name}`])
        expect((await send(receiver.url, { path, headers: LOGS.headers! })).status, path).toBe(404)
      const headers = { ...LOGS.headers, 'content-encoding': name }
      expect((await send(receiver.url, { ...LOGS, headers })).status, name).toBe(415)
    }
  })
})

describe('listening beyond the loopback', () => {
  const warnings = async (env: Record<string, string>) => {
    await using receiver = await startReceiver({ env: { EXPORTERS: NULL_EXPORTER, ...env } })
    return receiver.log.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
  }

  it('warns without tokens and says what to do', async () => {
    expect(await warnings({ HOST: '0.0.0.0' })).toEqual([
      expect.stringContaining(
        'set AUTH_TOKENS_FILE (or AUTH_TOKENS, or TLS_CLIENT_CA_FILE), or HOST=127.0.0.1',
      ),
    ])
  })

  it('is silent with tokens, or on the loopback', async () => {
    expect(await warnings({ HOST: '0.0.0.0', AUTH_TOKENS: 'secret' })).toEqual([])
    expect(await warnings({ HOST: '127.0.0.1' })).toEqual([])
  })
})

describe('logs', () => {
  it('have neither tokens nor payloads, not even at trace level', async () => {
    await using receiver = await startReceiver({
      env: { EXPORTERS: NULL_EXPORTER, AUTH_TOKENS: 'token-secret', LOG_LEVEL: 'trace' },
    })
    const headers = { authorization: 'Bearer token-secret', 'content-type': 'application/json' }
    const bodies = [
      '{"event_type":"payload-secret","session_id":"payload-secret","data":{"a":"payload-secret"}}',
      '{"event_type":"payload-secret"}',
      '{"payload-secret',
    ]
    for (const path of ['/events', '/v1/logs']) {
      for (const body of bodies) await send(receiver.url, { path, headers, body })
      await send(receiver.url, { path, headers: { authorization: 'Bearer payload-secret' }, body: '{}' })
    }
    await receiver.stop()
    const written = JSON.stringify(receiver.log) + receiver.stderr()
    expect(written).toContain('request refused')
    expect(written).not.toContain('secret')
  })
})

/** An exporter that forgets everything. */
const NULL_EXPORTER = JSON.stringify([
  { package: fileURLToPath(new URL('../../testing/src/null-exporter.js', import.meta.url)) },
])
