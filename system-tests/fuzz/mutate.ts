import type { Random } from '@agentic-hooks/testing/random'

const INTERESTING_BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x0a, 0x12]
const MAX_CHANGES = 3
const MAX_BYTES = 64 * 1024

/** A body that is like `body`, and like `other`, but for some damage. */
export function mutate(body: Buffer, other: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(body)
  const changes = random.between(1, MAX_CHANGES)
  for (let change = 0; change < changes; change++) {
    const at = random.between(0, Math.max(0, mutated.length - 1))
    const length = random.between(1, 16)
    switch (random.between(0, 6)) {
      case 0:
        mutated[at] = (mutated[at] ?? 0) ^ (1 << random.between(0, 7))
        break
      case 1:
        mutated[at] = random.pick(INTERESTING_BYTES)
        break
      case 2:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + length)])
        break
      case 3:
        mutated = Buffer.concat([mutated.subarray(0, at + length), mutated.subarray(at)])
        break
      case 4:
        mutated = mutated.subarray(0, at)
        break
      case 5: {
        const from = random.between(0, Math.max(0, other.length - 1))
        mutated = Buffer.concat([
          mutated.subarray(0, at),
          other.subarray(from, from + length * 4),
          mutated.subarray(at),
        ])
        break
      }
      default:
        mutated = Buffer.concat([mutated.subarray(0, at), randomBytes(length, random), mutated.subarray(at)])
    }
  }
  return mutated.subarray(0, MAX_BYTES)
}

const INTERESTING_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  '',
  '0',
  '-9223372036854775808',
  '18446744073709551615',
  'NaN',
  '\u0000\uD800',
  'session.id',
  'event.name',
  'agentic_hooks.data',
  [],
  {},
  { stringValue: 'a.b' },
  { intValue: '7' },
  { doubleValue: '-Infinity' },
  { bytesValue: 'AA' },
  { arrayValue: { values: [{}, { boolValue: false }] } },
  { kvlistValue: { values: [{ key: '__proto__', value: { stringValue: 'x' } }] } },
]

type Node = Record<string, unknown>

/** JSON like `body` but for some members that are missing, doubled or of another value. Null when it is no JSON. */
export function mutateJson(body: Buffer, random: Random): Buffer | null {
  let root: unknown
  try {
    root = JSON.parse(body.toString())
  } catch {
    return null
  }
  const changes = random.between(1, MAX_CHANGES)
  for (let change = 0; change < changes; change++) changeMember(root, random)
  return Buffer.from(JSON.stringify(root))
}

function changeMember(root: unknown, random: Random): void {
  const places = placesIn(root)
  if (places.length === 0) return
  const [node, key] = random.pick(places)
  if (random.between(0, 3) > 0) node[key] = structuredClone(random.pick(valuesFor(node[key], random)))
  else if (!Array.isArray(node)) delete node[key]
  else if (random.between(0, 1)) node.push(structuredClone(node[Number(key)]))
  else node.splice(Number(key), 1)
}

/** Mostly of the same kind: another kind is mostly refused. */
function valuesFor(value: unknown, random: Random): readonly unknown[] {
  if (random.between(0, 3) === 0) return INTERESTING_VALUES
  const alike = INTERESTING_VALUES.filter((other) => kindOf(other) === kindOf(value))
  return alike.length > 0 ? alike : INTERESTING_VALUES
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value
}

function placesIn(value: unknown, places: [Node, string][] = []): [Node, string][] {
  if (typeof value !== 'object' || value === null) return places
  for (const key of Object.keys(value)) {
    places.push([value as Node, key])
    placesIn((value as Node)[key], places)
  }
  return places
}

function randomBytes(length: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)))
}
