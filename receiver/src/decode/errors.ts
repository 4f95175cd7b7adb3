/** The request is not what its content type says: sending it again cannot help. */
export class UndecodableError extends Error {
  override readonly name: string = 'UndecodableError'
}

/** The request would become more than a limit allows: sending it again in smaller ones helps. */
export class RequestTooLargeError extends UndecodableError {
  override readonly name: string = 'RequestTooLargeError'
}

/** More records in one request than {@link DecodeLimits.maxRecords}, or than a body of its size can have. */
export class TooManyRecordsError extends RequestTooLargeError {
  override readonly name = 'TooManyRecordsError'
}

/** JSON of more values than {@link DecodeLimits.maxJsonValues}. */
export class TooManyValuesError extends RequestTooLargeError {
  override readonly name = 'TooManyValuesError'

  constructor(maxJsonValues: number) {
    super(`the JSON has more than ${maxJsonValues} values (MAX_JSON_VALUES); send smaller batches`)
  }
}

/** A resource or a scope is larger than {@link DecodeLimits.maxEventBytes}; an event that is, is rejected alone. */
export class EventTooLargeError extends RequestTooLargeError {
  override readonly name = 'EventTooLargeError'
}
