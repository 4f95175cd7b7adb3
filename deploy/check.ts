import { join } from 'node:path'
import { collectorPath } from '@agentic-hooks/testing/collector/build'
import { commandLine } from '@agentic-hooks/testing/command-line'
import { composeCommand } from '@agentic-hooks/testing/compose'
import {
  goTool,
  missing,
  missingGo,
  missingPython,
  python,
  runIn,
  withFolder,
} from '@agentic-hooks/testing/tools'

/*
 * `npm run check:deploy`: every file that deploys something, read by the program that will read it. What a check
 * needs is built, or in CI installed; elsewhere a check without its program is skipped, and says so.
 */

commandLine(
  'npm run check:deploy\n\nChecks every file that deploys something, by the program that will read it.\n',
  {},
)

const ROOT = join(import.meta.dirname, '..')
const KUBERNETES_VERSION = '1.34'

/** Throws when a file is wrong. Returns null when all is well, else why it could not be checked. */
type Check = () => Promise<string | null>

const collector =
  (file: string): Check =>
  async () => {
    const reason = process.env.OTELCOL_BIN ? null : missingGo()
    if (reason) return reason
    await runIn(ROOT, await collectorPath(), ['validate', `--config=${file}`])
    return null
  }

const debianTool =
  (command: string, debianPackage: string, folder: string, ...args: readonly string[]): Check =>
  async () => {
    const reason = await missing(command, debianPackage)
    if (reason === null) await runIn(join(ROOT, folder), command, args)
    return reason
  }

const promtool = (...args: readonly string[]) =>
  debianTool('promtool', 'prometheus', 'deploy/prometheus', ...args)

const compose =
  (file: string): Check =>
  async () => {
    const command = await composeCommand()
    if (!command) return 'neither Docker Compose nor Go is installed'
    const [program, ...args] = [...command, '--file', file, '--profile', '*', 'config', '--quiet']
    await runIn(ROOT, program!, args)
    return null
  }

const kubernetes =
  (folder: string): Check =>
  async () => {
    const reason = missingGo() ?? (await missingPython())
    if (reason) return reason
    const kustomize = await goTool('kustomize', 'sigs.k8s.io/kustomize/kustomize/v5', 'v5.8.0')
    const executable = await python('kubernetes', ['kubernetes-validate==1.37.0'])
    await withFolder(async (output) => {
      await runIn(ROOT, kustomize, ['build', folder, '--output', output])
      const schemas = ['--strict', '--kubernetes-version', KUBERNETES_VERSION]
      await runIn(output, 'sh', ['-c', `"$0" -m kubernetes_validate "$@" *.yaml`, executable, ...schemas])
    })
    return null
  }

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['otel-collector-config.yaml: otelcol validate', collector('otel-collector-config.yaml')],
  ['deploy/collector/gateway.yaml: otelcol validate', collector('deploy/collector/gateway.yaml')],
  [
    'deploy/prometheus/prometheus.yaml: promtool check config',
    promtool('check', 'config', 'prometheus.yaml'),
  ],
  [
    'deploy/prometheus/prometheus.prod.yaml: promtool check config',
    promtool('check', 'config', 'prometheus.prod.yaml'),
  ],
  [
    'deploy/prometheus/alerts.yaml: promtool check rules',
    promtool('check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yaml'),
  ],
  ['deploy/prometheus/alerts.yaml: promtool test rules', promtool('test', 'rules', 'alerts.test.yaml')],
  [
    'deploy/haproxy/haproxy.cfg: haproxy -c',
    debianTool('haproxy', 'haproxy', 'deploy/haproxy', '-c', '-f', 'haproxy.cfg'),
  ],
  ['docker-compose.yaml: docker compose config', compose('docker-compose.yaml')],
  ['docker-compose.prod.yaml: docker compose config', compose('docker-compose.prod.yaml')],
  [
    `deploy/kubernetes: kustomize build, schemas of Kubernetes ${KUBERNETES_VERSION}`,
    kubernetes('deploy/kubernetes'),
  ],
]

let failed = 0
for (const [name, check] of CHECKS) {
  try {
    const reason = await check()
    console.log(reason === null ? `ok       ${name}` : `SKIPPED  ${name}: ${reason}`)
  } catch (error) {
    failed++
    console.log(`FAILED   ${name}\n${error instanceof Error ? error.message : error}`)
  }
}
process.exitCode = failed ? 1 : 0
