import type { Random } from '../../test/random.ts'

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

function randomBytes(length: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)))
}
