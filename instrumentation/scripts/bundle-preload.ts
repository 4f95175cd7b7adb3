import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { commandLine } from '@agentic-hooks/testing/command-line'
import { rolldown } from 'rolldown'

// Writes dist/preload/preload-*.cjs: the preload with all that it needs as few files of CommonJS, which Node loads in a fraction
// of the time that its modules take one by one (docs/decisions/0070). What sends events, OpenTelemetry's SDK in it,
// is a file of its own that waits for the first event.

commandLine('npm run build\n\nCompiles every package, and bundles the preload.\n', {})

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url))
const FOLDER = path('dist/preload')
const PREFIX = 'preload-'
const EMISSION = `./${PREFIX}emission.cjs`
const LOAD_EMISSION = path('src/agents/load-emission.ts')

for (const name of await bundledFiles()) await rm(`${FOLDER}/${name}`)
const bundle = await rolldown({
  input: { register: path('src/preload/register.ts'), emission: path('src/agents/emission.ts') },
  platform: 'node',
  resolve: { conditionNames: ['@agentic-hooks/source', 'node', 'import', 'default'] },
  makeAbsoluteExternalsRelative: false,
  // The vocabulary's tables are for the wire, which the preload does not speak before the first event.
  treeshake: { moduleSideEffects: [{ test: /[\\/]events[\\/]src[\\/]/, sideEffects: false }] },
  transform: { define: { 'import.meta.url': 'moduleUrl', 'import.meta.filename': '__filename' } },
  plugins: [
    {
      // The preload's own load hooks see what is required: docs/decisions/0090.
      name: 'no-require-in-the-middle',
      resolveId: (id) => (id === 'require-in-the-middle' ? `\0${id}` : null),
      load: (id) => (id === '\0require-in-the-middle' ? 'export class Hook {}' : null),
    },
    {
      name: 'load-emission',
      resolveId: (id) => (id === EMISSION ? { id, external: true } : null),
      load: (id) =>
        id === LOAD_EMISSION ? `export const loadEmission = () => require('${EMISSION}')` : null,
    },
  ],
})
await bundle.write({
  dir: FOLDER,
  format: 'cjs',
  minify: true,
  entryFileNames: `${PREFIX}[name].cjs`,
  chunkFileNames: `${PREFIX}[name].cjs`,
  banner: `/* ${await bundledPackages()} */\nconst moduleUrl = require('node:url').pathToFileURL(__filename).href`,
})
await bundle.close()
for (const name of await bundledFiles()) {
  const { size } = await stat(`${FOLDER}/${name}`)
  console.log(`dist/preload/${name}`.padEnd(30), `${(size / 1024).toFixed(0)} KiB`)
}

async function bundledFiles(): Promise<string[]> {
  const names = await readdir(FOLDER).catch(() => [])
  return names.filter((name) => name.startsWith(PREFIX) && name.endsWith('.cjs'))
}

/** Whose work is in the files; the licences' texts are in the packages, which are dependencies of this one. */
async function bundledPackages(): Promise<string> {
  const { dependencies } = JSON.parse(await readFile(path('package.json'), 'utf8'))
  const names = Object.entries(dependencies).map(([name, range]) => `${name} ${range}`)
  return `Contains ${names.join(', ')} and their dependencies.`
}
