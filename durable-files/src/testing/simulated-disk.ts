import { basename, dirname } from 'node:path'
import type { FileStat, FileSystem, OpenFile } from '../index.ts'

/** A file or directory; what `written` has beyond `durable` is gone when the power fails. */
interface Node {
  readonly inode: number
  readonly isDirectory: boolean
  written: Buffer
  durable: Buffer
  mtimeMs: number
}

/** What of that which was not synced has reached the disk all the same. */
export interface Survival {
  /** Of the names made, changed and removed: those that a directory sync covers, all, or any. */
  readonly names: 'synced' | 'all' | 'some'
  readonly data: 'synced' | 'all' | 'some'
}

/** The worst and best cases of both kinds, and two in between. */
export const SURVIVALS: readonly Survival[] = [
  { names: 'synced', data: 'synced' },
  { names: 'all', data: 'synced' },
  { names: 'synced', data: 'all' },
  { names: 'all', data: 'all' },
  { names: 'some', data: 'some' },
  { names: 'all', data: 'some' },
]

type Names = Map<string, Node>

/**
 * A change of names in one directory, which happens whole or not at all. Changes of one name reach the disk in
 * their order, others in any.
 */
interface NameChange {
  readonly paths: readonly string[]
  apply(names: Names): void
}

/**
 * A disk whose power can fail: data is durable once its file was synced, a name once its directory was, and
 * everything else may or may not be. Files are small and live in memory; paths are absolute.
 */
export class SimulatedDisk implements FileSystem {
  /** What was synced, in order, ignored ones included. */
  readonly syncs: string[] = []
  /** The number of a sync, from 0, that does nothing. */
  ignoredSync = -1
  /** Called after everything that changes the disk or makes a change durable: the power may fail here. */
  onChange: () => void = () => {}

  readonly #names: Names = new Map()
  readonly #durableNames: Names = new Map()
  #unsynced: NameChange[] = []
  #nextInode = 1

  constructor() {
    const root = this.#newNode(true)
    this.#names.set('/', root)
    this.#durableNames.set('/', root)
  }

  /** A disk as it may be found after a power failure now. */
  afterPowerFailure(survival: Survival, random: () => number = Math.random): SimulatedDisk {
    const names = new Map(this.#durableNames)
    for (const change of survivingChanges(this.#unsynced, survival.names, random)) change.apply(names)
    const image = new SimulatedDisk()
    const nodes = new Map<Node, Node>()
    for (const [path, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (path === '/' || !image.#names.has(dirname(path))) continue
      const found =
        nodes.get(node) ?? image.#newNode(node.isDirectory, surviving(node, survival.data, random))
      nodes.set(node, found)
      image.#names.set(path, found)
      image.#durableNames.set(path, found)
    }
    return image
  }

  paths(): string[] {
    return [...this.#names.keys()]
  }

  content(path: string): Buffer {
    return this.#node(path).written
  }

  async mkdir(path: string, _options: { recursive: true }): Promise<void> {
    if (this.#names.has(path)) return
    await this.mkdir(dirname(path), { recursive: true })
    const node = this.#newNode(true)
    this.#change([path], (names) => names.set(path, node))
  }

  async readdir(path: string): Promise<string[]> {
    this.#node(path)
    const children = [...this.#names.keys()].filter((name) => name !== '/' && dirname(name) === path)
    return children.map((child) => basename(child))
  }

  async rename(from: string, to: string): Promise<void> {
    const node = this.#node(from)
    this.#change([from, to], (names) => {
      names.delete(from)
      names.set(to, node)
    })
  }

  async unlink(path: string): Promise<void> {
    this.#node(path)
    this.#change([path], (names) => names.delete(path))
  }

  async stat(path: string): Promise<FileStat> {
    return statOf(this.#node(path))
  }

  async readlink(path: string): Promise<string> {
    this.#node(path)
    throw failure('EINVAL', path)
  }

  async realpath(path: string): Promise<string> {
    this.#node(path)
    return path
  }

  async open(path: string, flags: string): Promise<OpenFile> {
    if (flags === 'wx' && this.#names.has(path)) throw failure('EEXIST', path)
    if (flags !== 'r' && !this.#names.has(path)) {
      this.#node(dirname(path))
      const created = this.#newNode(false)
      this.#change([path], (names) => names.set(path, created))
    }
    const node = this.#node(path)
    if (flags === 'w') node.written = Buffer.alloc(0)
    return this.#handle(path, node)
  }

  #handle(path: string, node: Node): OpenFile {
    return {
      read: async (buffer, offset, length, position) => {
        const bytes = node.written.subarray(position, position + length)
        buffer.set(bytes, offset)
        return { bytesRead: bytes.byteLength }
      },
      writev: async (buffers) => {
        const bytes = Buffer.concat(buffers)
        node.written = Buffer.concat([node.written, bytes])
        node.mtimeMs = Date.now()
        this.onChange()
        return { bytesWritten: bytes.byteLength }
      },
      truncate: async (length) => {
        node.written = node.written.subarray(0, length)
        this.onChange()
      },
      utimes: async (_atime, mtime) => {
        node.mtimeMs = mtime.getTime()
      },
      datasync: async () => this.#sync(path, node),
      sync: async () => this.#sync(path, node),
      stat: async () => statOf(node),
      close: async () => {},
    }
  }

  #sync(path: string, node: Node): void {
    this.syncs.push(path)
    if (this.syncs.length - 1 === this.ignoredSync) return
    node.durable = node.written
    const [synced, unsynced] = partition(this.#unsynced, ({ paths }) => dirname(paths[0]!) === path)
    for (const change of synced) change.apply(this.#durableNames)
    this.#unsynced = unsynced
    this.onChange()
  }

  #change(paths: readonly string[], apply: (names: Names) => void): void {
    apply(this.#names)
    this.#unsynced.push({ paths, apply })
    this.onChange()
  }

  #node(path: string): Node {
    const node = this.#names.get(path)
    if (!node) throw failure('ENOENT', path)
    return node
  }

  #newNode(isDirectory: boolean, content: Buffer = Buffer.alloc(0)): Node {
    return {
      inode: this.#nextInode++,
      isDirectory,
      written: content,
      durable: content,
      mtimeMs: Date.now(),
    }
  }
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}

function survivingChanges(
  changes: readonly NameChange[],
  survival: Survival['names'],
  random: () => number,
): NameChange[] {
  if (survival !== 'some') return survival === 'all' ? [...changes] : []
  const lost = new Set<string>()
  return changes.filter(({ paths }) => {
    if (random() < 0.5 && !paths.some((path) => lost.has(path))) return true
    for (const path of paths) lost.add(path)
    return false
  })
}

/** Of appended bytes a part may be there; what a file system leaves in the gap is zeros. */
function surviving({ written, durable }: Node, data: Survival['data'], random: () => number): Buffer {
  if (data === 'all') return written
  if (data === 'synced' || written.byteLength <= durable.byteLength) return durable
  const appended = Buffer.from(written.subarray(durable.byteLength))
  const length = Math.floor(random() * (appended.byteLength + 1))
  const zeros = random() < 0.5 ? Math.floor(random() * (length + 1)) : 0
  return Buffer.concat([durable, appended.fill(0, 0, zeros).subarray(0, length)])
}

function statOf({ written, mtimeMs, inode, isDirectory }: Node): FileStat {
  return { size: written.byteLength, mtimeMs, ino: inode, isFile: () => !isDirectory }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
