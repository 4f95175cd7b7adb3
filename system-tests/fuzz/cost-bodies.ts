import type { Random } from '@agentic-hooks/testing/random'

/** A message of OTLP, or a text in it, some times over. */
export interface Node {
  readonly kind: Kind
  readonly field: number
  readonly repeat: number
  /** Of a text. */
  readonly byte: number
  readonly length: number
  readonly children: readonly Node[]
}

type Kind =
  | 'request'
  | 'resourceLogs'
  | 'resource'
  | 'scopeLogs'
  | 'scope'
  | 'logRecord'
  | 'keyValue'
  | 'anyValue'
  | 'arrayValue'
  | 'keyValueList'
  | 'text'

/** What each kind can hold: the field's number, its kind, and its name in JSON; `[]` after those that are repeated. */
const FIELDS: Readonly<Record<Kind, readonly (readonly [field: number, kind: Kind, name: string])[]>> = {
  request: [[1, 'resourceLogs', 'resourceLogs[]']],
  resourceLogs: [
    [1, 'resource', 'resource'],
    [2, 'scopeLogs', 'scopeLogs[]'],
    [3, 'text', 'schemaUrl'],
    [15, 'text', 'unknown'],
  ],
  resource: [[1, 'keyValue', 'attributes[]']],
  scopeLogs: [
    [1, 'scope', 'scope'],
    [2, 'logRecord', 'logRecords[]'],
    [3, 'text', 'schemaUrl'],
    [15, 'text', 'unknown'],
  ],
  scope: [
    [1, 'text', 'name'],
    [2, 'text', 'version'],
    [3, 'keyValue', 'attributes[]'],
  ],
  logRecord: [
    [3, 'text', 'severityText'],
    [5, 'anyValue', 'body'],
    [6, 'keyValue', 'attributes[]'],
    [12, 'text', 'eventName'],
    [15, 'text', 'unknown'],
  ],
  keyValue: [
    [1, 'text', 'key'],
    [2, 'anyValue', 'value'],
  ],
  anyValue: [
    [1, 'text', 'stringValue'],
    [5, 'arrayValue', 'arrayValue'],
    [6, 'keyValueList', 'kvlistValue'],
    [7, 'text', 'bytesValue'],
  ],
  arrayValue: [[1, 'anyValue', 'values[]']],
  keyValueList: [[1, 'keyValue', 'values[]']],
  text: [],
}

/** Plain, escaped in one and in five more bytes, of two bytes, ill-formed. */
const BYTES = [0x61, 0x22, 0x01, 0xc3, 0xff, 0x0a]
const KEYS = [
  'session.id',
  'log.record.uid',
  'event.name',
  'agentic_hooks.data',
  'gen_ai.tool.name',
  'body',
  'k',
]
const MAX_REPEAT = 2 ** 25
const MAX_LENGTH = 2 ** 26
const MAX_DEPTH = 14

/** A request by chance, of few or of very many parts. */
export function randomBody(random: Random): Node {
  return { ...randomNode('request', 0, random, 0), repeat: 1 }
}

function randomNode(kind: Kind, field: number, random: Random, depth: number): Node {
  const fields = depth < MAX_DEPTH ? FIELDS[kind] : []
  const most = Math.min(fields.length, 3)
  const least = depth < 3 ? 1 : 0
  const children = Array.from({ length: random.between(Math.min(least, most), most) }, () => {
    const [childField, childKind] = random.pick(fields)
    return randomNode(childKind, childField, random, depth + 1)
  })
  const isMany = random.between(0, 2) === 0
  const repeat = isMany ? 2 ** random.between(0, 20) : 1
  return { kind, field, repeat, byte: random.pick(BYTES), length: 2 ** random.between(0, 14) - 1, children }
}

/** Another size, another child or one less, somewhere in it. */
export function mutateBody(node: Node, random: Random, depth = 0): Node {
  const { kind, children } = node
  if (children.length > 0 && random.between(0, 4) > 0) {
    const index = random.between(0, children.length - 1)
    return { ...node, children: children.with(index, mutateBody(children[index]!, random, depth + 1)) }
  }
  const factor = random.pick([0.1, 0.5, 0.9, 1.1, 2, 10, 100])
  if (kind === 'text' && random.between(0, 1) === 0) {
    const length = Math.min(Math.ceil(node.length * factor), MAX_LENGTH)
    return { ...node, length, byte: random.pick(BYTES) }
  }
  if (random.between(0, 1) === 0 && kind !== 'request')
    return { ...node, repeat: Math.min(Math.max(1, Math.ceil(node.repeat * factor)), MAX_REPEAT) }
  if (children.length > 0 && random.between(0, 3) === 0)
    return { ...node, children: children.toSpliced(random.between(0, children.length - 1), 1) }
  if (FIELDS[kind].length === 0 || depth >= MAX_DEPTH) return node
  const [field, childKind] = random.pick(FIELDS[kind])
  return { ...node, children: [...children, randomNode(childKind, field, random, depth + 1)] }
}

/** In protobuf; null when it is longer than `maxBytes`. */
export function protobufOf(node: Node, maxBytes: number): Buffer | null {
  const content = contentOf(node, maxBytes)
  return content && content.byteLength <= maxBytes ? content : null
}

function contentOf({ kind, field, byte, length, children }: Node, maxBytes: number): Buffer | null {
  if (kind === 'text') return field === 1 && byte === 0x61 ? keyOf(length) : Buffer.alloc(length, byte)
  const parts: Buffer[] = []
  for (const child of children) {
    const content = contentOf(child, maxBytes)
    if (content === null) return null
    const one = Buffer.concat([varint(child.field * 8 + 2), varint(content.byteLength), content])
    if (one.byteLength * child.repeat > maxBytes) return null
    parts.push(Buffer.alloc(one.byteLength * child.repeat, one))
  }
  return Buffer.concat(parts)
}

/** Plain texts of the length of a key that means something are that key. */
function keyOf(length: number): Buffer {
  return Buffer.from(KEYS.find((key) => key.length === length % 20) ?? 'a'.repeat(length))
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

/** In OTLP JSON; null when it is longer than `maxBytes`. */
export function jsonOf(node: Node, maxBytes: number): Buffer | null {
  const json = jsonValueOf(node, maxBytes)
  return json === null || json.length > maxBytes ? null : Buffer.from(json, 'latin1')
}

function jsonValueOf({ kind, field, byte, length, children }: Node, maxBytes: number): string | null {
  if (kind === 'text') {
    const text =
      field === 1 && byte === 0x61 ? keyOf(length).toString() : String.fromCharCode(byte).repeat(length)
    return length > maxBytes ? null : JSON.stringify(text)
  }
  const members = new Map<string, string>()
  for (const child of children) {
    const [, , name] = FIELDS[kind].find(([number]) => number === child.field)!
    const value = jsonValueOf(child, maxBytes)
    if (value === null || (value.length + 1) * child.repeat > maxBytes) return null
    const isList = name.endsWith('[]')
    const before = members.get(name)
    const values = isList ? `${value},`.repeat(child.repeat).slice(0, -1) : value
    members.set(name, isList && before ? `${before},${values}` : values)
  }
  const text = [...members].map(([name, value]) =>
    name.endsWith('[]') ? `"${name.slice(0, -2)}":[${value}]` : `"${name}":${value}`,
  )
  return `{${text.join(',')}}`
}

/** On one line, for people. */
export function describe({ kind, field, repeat, byte, length, children }: Node): string {
  const times = repeat > 1 ? `${repeat.toLocaleString('en')} x ` : ''
  if (kind === 'text') return `${times}${field}:${length.toLocaleString('en')} bytes 0x${byte.toString(16)}`
  return `${times}${kind}{${children.map(describe).join(' ')}}`
}
