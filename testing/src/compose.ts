import { goTool, has, succeeds } from '@agentic-hooks/testing/tools'

export function dockerAnswers(): Promise<boolean> {
  return succeeds('docker', ['info'])
}

/**
 * The command line of Docker Compose: the plugin of `docker`, else a program built from its Go module, else null.
 * `config` needs no Docker engine.
 */
export async function composeCommand(): Promise<readonly [string, ...string[]] | null> {
  if (await succeeds('docker', ['compose', 'version'])) return ['docker', 'compose']
  if (!has('go')) return null
  return [await goTool('docker-compose', 'github.com/docker/compose/v2/cmd', 'v2.40.3')]
}
