import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { MemoryLogger } from '@agentic-hooks/testing/memory-logger'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HookClient, type HookClientOptions } from '../../src/index.ts'

const pem = (name: string) =>
  readFileSync(new URL(`../../../receiver/test/support/tls/${name}.pem`, import.meta.url))

/** Demands a certificate of its clients. */
const options = {
  key: pem('server-key'),
  cert: pem('server'),
  ca: pem('ca'),
  requestCert: true,
  rejectUnauthorized: true,
}

let server: ReturnType<typeof createServer>
let requests: number

beforeEach(async () => {
  requests = 0
  server = createServer(options, (request, response) => {
    requests++
    request.resume().on('end', () => response.end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function deliver(tls: HookClientOptions['tls']) {
  const logger = new MemoryLogger()
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new HookClient({ endpoint, tls, logger, retryInitialDelayMillis: 1, maxRetryAttempts: 0 })
  for (let n = 0; n < 60; n++) client.emit({ eventType: 'custom', sessionId: 's' })
  return { ...(await client.close()), warnings: logger.warnings }
}

it('delivers over https with the certificates that it is given', async () => {
  const tls = { ca: pem('ca'), cert: pem('client'), key: pem('client-key') }
  expect(await deliver(tls)).toMatchObject({ delivered: 60, dropped: 0 })
  expect(requests).toBe(2)
})

it('does not trust a server of an authority that it does not know, and says so', async () => {
  const { delivered, dropped, warnings } = await deliver({ cert: pem('client'), key: pem('client-key') })
  expect({ delivered, dropped, requests }).toEqual({ delivered: 0, dropped: 60, requests: 0 })
  expect(warnings[0]).toMatch('certificate')
})

it('is refused without its own certificate, and not by the connections of a client that has one', async () => {
  await deliver({ ca: pem('ca'), cert: pem('client'), key: pem('client-key') })
  expect(await deliver({ ca: pem('ca') })).toMatchObject({ delivered: 0, dropped: 60 })
})
