import { RequestError } from '../errors.ts'

/** In a body of this size nothing can be that hurts. */
const UNCHECKED_BYTES = 2 ** 20

const COMMA = 0x2c
const OPENING_BRACKET = 0x5b
const OPENING_BRACE = 0x7b

/** JSON of many tiny values; 413, as for a body that is too large. */
export class TooManyValuesError extends RequestError {
  override readonly name = 'TooManyValuesError'

  constructor(maxJsonValues: number) {
    super(413, `the JSON has more than ${maxJsonValues} values (MAX_JSON_VALUES); send smaller batches`)
  }
}

/**
 * A value can be as short as two bytes (`0,`) and takes up to some 60 once parsed, so that a limit on bytes alone
 * would let 64 MiB become gigabytes and half a minute. Counts what begins a value; inside strings too, where
 * it is rare. Hook events have one in 16 bytes or fewer.
 * @throws TooManyValuesError
 */
export function checkJsonValues(body: Uint8Array, maxJsonValues: number): void {
  if (body.byteLength <= UNCHECKED_BYTES) return
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  let values = 0
  for (let start = 0; start < body.byteLength; start += 4) {
    if (start + 4 <= body.byteLength && !mayBeginValue(view.getInt32(start))) continue
    const end = Math.min(start + 4, body.byteLength)
    for (let index = start; index < end; index++) {
      const byte = body[index]
      if (byte === COMMA || byte === OPENING_BRACKET || byte === OPENING_BRACE) values++
    }
    if (values > maxJsonValues) throw new TooManyValuesError(maxJsonValues)
  }
}

/** Whether one of four bytes is a comma or, but for the bit in which those two differ, an opening bracket or brace. */
function mayBeginValue(word: number): boolean {
  const commas = word ^ 0x2c2c2c2c
  const brackets = (word | 0x20202020) ^ 0x7b7b7b7b
  return ((((commas - 0x01010101) & ~commas) | ((brackets - 0x01010101) & ~brackets)) & 0x80808080) !== 0
}
