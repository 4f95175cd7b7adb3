import { createServer } from 'node:http'

/**
 * A model provider on this machine: `answer` gets the parsed body and returns a status with JSON, or the pieces
 * of a stream. A stream with `hold` stays open after its pieces.
 */
export async function startModelServer(answer) {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const { status = 200, json, pieces, hold } = answer(request.url, JSON.parse(body))
      if (json) {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const piece of pieces) response.write(piece)
      if (!hold) response.end()
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
