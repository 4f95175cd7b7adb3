import { RequestError } from './failures.ts'

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
  let values = 0
  for (let index = 0; index < body.byteLength; index++) {
    const byte = body[index]
    if (byte !== COMMA && byte !== OPENING_BRACKET && byte !== OPENING_BRACE) continue
    if (++values > maxJsonValues) throw new TooManyValuesError(maxJsonValues)
  }
}
