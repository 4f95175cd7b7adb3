import { dirname, join, parse } from 'node:path'
import type { FileSystem } from '@agentic-hooks/durable-files'

/*
 * Full files are renamed from `events.jsonl` to `events-2026-11-22T15-36-00.123Z.jsonl`, by the time of the
 * rename in UTC. Names sort as they were written, even when the clock is set back.
 */

const TIME = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3}Z)$/

/** The rotated files of a path, oldest first. */
export async function rotatedFiles(fileSystem: FileSystem, path: string): Promise<string[]> {
  const directory = dirname(path)
  const names = await fileSystem.readdir(directory)
  return names
    .map((name) => join(directory, name))
    .filter((file) => millisOf(path, file) !== null)
    .sort()
}

/** The name for the next rotated file, which sorts after the newest there is. */
export function nextRotatedFile(path: string, newest: string | undefined, nowMillis: number): string {
  const newestMillis = (newest && millisOf(path, newest)) || 0
  const time = new Date(Math.max(nowMillis, newestMillis + 1)).toISOString().replaceAll(':', '-')
  const { dir, name, ext } = parse(path)
  return join(dir, `${name}-${time}${ext}`)
}

/** The time in the name of a rotated file of this path, null for any other file. */
function millisOf(path: string, file: string): number | null {
  const { dir, name, ext } = parse(path)
  const prefix = join(dir, `${name}-`)
  if (!file.startsWith(prefix) || !file.endsWith(ext)) return null
  const match = TIME.exec(file.slice(prefix.length, file.length - ext.length))
  return match && Date.parse(`${match[1]}T${match[2]}:${match[3]}:${match[4]}`)
}
