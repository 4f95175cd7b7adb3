// After `npm ci`: builds the packages, so that a clone can import them by name and `--require` the preload at once.
// `npm ci --omit=dev` installs no compiler and needs no build: `npm start` runs the sources.
import { execSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const root = new URL('../', import.meta.url)
if (existsSync(new URL('node_modules/typescript', root))) {
  execSync('npm run --silent build', { cwd: root, stdio: 'inherit' })
}
