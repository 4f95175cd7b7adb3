/** As far as they are used here; Node's types have neither. */
interface Global {
  readonly value: number
}

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/** What wasm/assembly/index.ts exports. Numbers are positions in the memory, or what the names say. */
export interface Exports {
  readonly memory: Memory
  readonly free: Global
  readonly recordAddress: Global
  readonly textsAddress: Global
  readonly originAddress: Global
  readonly progressAddress: Global
  readonly knownAttributes: Global
  readonly mirroredKeys: Global
  configure(maxDepth: number, knownTexts: number, mirroredKeys: number): void
  addName(table: number, index: number, start: number, end: number): void
  begin(start: number, end: number, maxEventBytes: number, maxParts: number): void
  next(): number
  writeResourceAttributes(at: number): number
  writeScopeAttributes(at: number): number
  writeKnown(key: number, at: number): number
  writeRest(at: number): number
  writeData(key: number, at: number): number
  writeBody(at: number): number
  findBodyText(): number
  isMirrored(key: number, mirroredKey: number): number
  moveJson(bytes: number): void
  readonly eventFields: Global
  readonly namesAddress: Global
  readonly fieldsAddress: Global
  configureEvents(cached: number, firstPayload: number, count: number): void
  beginScan(start: number, end: number, maxValues: number, maxEventBytes: number): void
  scan(bytes: number): number
  root(): number
  tapeEnd(): number
  beginList(): number
  beginSingle(): void
  nextEvent(at: number): number
  findMember(nameStart: number, nameEnd: number): number
  writeValueAt(entry: number, depth: number, at: number): number
  hasOthers(but: number): number
  writeOthers(but: number, at: number): number
  beginRequest(): void
  nextJson(): number
  placeIndex(level: number): number
  placeRoot(): number
  isAtRecord(): number
  findUnknown(): number
  writeResourceAttributesJson(at: number): number
  writeScopeAttributesJson(at: number): number
  writeKnownJson(key: number, at: number): number
  writeRestJson(at: number): number
  writeDataJson(key: number, at: number): number
  writeBodyJson(at: number): number
  findBodyTextJson(): number
  isMirroredJson(key: number, mirroredKey: number): number
}

/** What each has to be. */
const TYPES: Readonly<Record<keyof Exports, 'function' | 'object'>> = {
  memory: 'object',
  free: 'object',
  recordAddress: 'object',
  textsAddress: 'object',
  originAddress: 'object',
  progressAddress: 'object',
  knownAttributes: 'object',
  mirroredKeys: 'object',
  configure: 'function',
  addName: 'function',
  begin: 'function',
  next: 'function',
  writeResourceAttributes: 'function',
  writeScopeAttributes: 'function',
  writeKnown: 'function',
  writeRest: 'function',
  writeData: 'function',
  writeBody: 'function',
  findBodyText: 'function',
  isMirrored: 'function',
  moveJson: 'function',
  eventFields: 'object',
  namesAddress: 'object',
  fieldsAddress: 'object',
  configureEvents: 'function',
  beginScan: 'function',
  scan: 'function',
  root: 'function',
  tapeEnd: 'function',
  beginList: 'function',
  beginSingle: 'function',
  nextEvent: 'function',
  findMember: 'function',
  writeValueAt: 'function',
  hasOthers: 'function',
  writeOthers: 'function',
  beginRequest: 'function',
  nextJson: 'function',
  placeIndex: 'function',
  placeRoot: 'function',
  isAtRecord: 'function',
  findUnknown: 'function',
  writeResourceAttributesJson: 'function',
  writeScopeAttributesJson: 'function',
  writeKnownJson: 'function',
  writeRestJson: 'function',
  writeDataJson: 'function',
  writeBodyJson: 'function',
  findBodyTextJson: 'function',
  isMirroredJson: 'function',
}

/** @throws Error when the module that was compiled is another one than these sources know */
export function checkedExports(exports: Readonly<Record<string, unknown>>): Exports {
  for (const [name, type] of Object.entries(TYPES)) {
    if (typeof exports[name] !== type)
      throw new Error(
        `receiver/wasm/otlp-protobuf.wasm has no ${type} called ${name}; make it again: npm run wasm`,
      )
  }
  for (const name of Object.keys(exports)) {
    if (!Object.hasOwn(TYPES, name))
      throw new Error(`receiver/wasm/otlp-protobuf.wasm exports ${name}, which nobody uses`)
  }
  return exports as unknown as Exports
}
