// Stands in for a provider's API: answers each request with what it is given for its path.
import { createServer } from 'node:http'

export async function startModel(answers) {
  const server = createServer((request, response) => {
    const [, answer] = Object.entries(answers).find(([path]) => request.url.includes(path)) ?? []
    request.resume().on('end', () => {
      const isStream = Array.isArray(answer)
      response.writeHead(answer ? 200 : 404, {
        'content-type': isStream ? 'text/event-stream' : 'application/json',
      })
      if (isStream)
        for (const event of answer) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      response.end(isStream ? undefined : JSON.stringify(answer ?? {}))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() }
}
