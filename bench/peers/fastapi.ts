import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cachePath, runIn, shortHash } from '@agentic-hooks/testing/tools'
import { type Server, startServer } from '../servers.ts'

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const SERVICE = join(import.meta.dirname, 'fastapi_service.py')

/**
 * The service of fastapi_service.py, its packages installed once outside the tree.
 * @throws Error when there is no python3 with venv, or the packages cannot be had
 */
export async function startFastApi(databaseUrl: string): Promise<Server> {
  const folder = cachePath(`fastapi-${shortHash(readFileSync(REQUIREMENTS, 'utf8'))}`)
  const python = join(folder, 'bin/python')
  if (!existsSync(join(folder, 'bin/uvicorn'))) {
    await mkdir(dirname(folder), { recursive: true })
    await runIn(dirname(folder), 'python3', ['-m', 'venv', '--clear', folder])
    await runIn(folder, python, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS])
  }
  return startServer([python, SERVICE], {
    environment: { DATABASE_URL: databaseUrl },
    portIn: (line) => /Uvicorn running on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1],
  })
}
