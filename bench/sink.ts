import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/* An OTLP server that does nothing but say that all is well: for measuring its clients, and as what any server costs. */

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.setHeader('Content-Type', request.headers['content-type'] ?? '')
    response.end(request.headers['content-type'] === 'application/json' ? '{}' : '')
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
