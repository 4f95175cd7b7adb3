import { goTool, has, runIn } from './tools.ts'

/**
 * The command line of Docker Compose: the plugin of `docker`, else a program built from its Go module, else null.
 * `config` needs no Docker engine.
 */
export async function composeCommand(): Promise<readonly [string, ...string[]] | null> {
  if (has('docker')) {
    const isPlugin = await runIn('.', 'docker', ['compose', 'version']).then(
      () => true,
      () => false,
    )
    if (isPlugin) return ['docker', 'compose']
  }
  if (!has('go')) return null
  return [await goTool('docker-compose', 'github.com/docker/compose/v2/cmd', 'v2.40.3')]
}
