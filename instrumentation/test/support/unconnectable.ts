import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const LISTENER = `
const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  console.log(server.address().port)
  process.kill(process.pid, 'SIGSTOP')
})`

/** How long a connection attempt takes that will not succeed. */
const UNANSWERED_MILLIS = 500

/** A port whose listener is stopped and whose queue of connections is full: further attempts get no answer. */
export async function startUnconnectable(): Promise<AsyncDisposable & { readonly url: string }> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(child.stdout), 'line')
  const port = Number(line)
  const sockets: Socket[] = []
  do sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
  while (await isConnected(sockets.at(-1)!))
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

async function isConnected(socket: Socket): Promise<boolean> {
  return Promise.race([
    once(socket, 'connect').then(() => true),
    new Promise<boolean>((resolve) => setTimeout(resolve, UNANSWERED_MILLIS, false)),
  ])
}
