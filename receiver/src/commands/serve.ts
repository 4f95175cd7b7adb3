import { once } from 'node:events'
import type { Logger } from 'pino'
import type { Config } from '../config/options.ts'
import { isLoopback } from '../http/request-target.ts'
import { unlessAborted } from '../ingest/timeout.ts'
import { startReceiver } from '../receiver.ts'
import { loadExporters, withSpools } from '../storage/load.ts'
import { VERSION } from '../version.ts'
import type { Command } from './command.ts'

export const serve: Command = {
  name: 'serve',
  usage: '',
  summary: 'receive events until SIGTERM or SIGINT (the default)',
  flags: {},
  async run({ config, log, stopSignal }) {
    warnOfOpenDoor(config, log)
    const exporters = withSpools(await unlessAborted(loadExporters(config, log), stopSignal), config, log)
    const receiver = await startReceiver(config, exporters, log, stopSignal)
    const { urls, adminUrl } = receiver
    const storage = exporters.map(({ name }) => name)
    log.info({ url: urls[0], urls, adminUrl, storage, version: VERSION }, 'listening')
    if (!stopSignal.aborted) await once(stopSignal, 'abort')
    log.info('shutting down')
    await receiver.close()
    log.info('stopped')
  },
}

function warnOfOpenDoor({ host, authTokens, authTokensFile, tlsClientCaFile }: Config, log: Logger): void {
  if (authTokens || authTokensFile || tlsClientCaFile || isLoopback(host)) return
  log.warn(
    { host },
    'anyone who reaches this address can store events: set AUTH_TOKENS_FILE (or AUTH_TOKENS, or ' +
      'TLS_CLIENT_CA_FILE), or HOST=127.0.0.1',
  )
}
