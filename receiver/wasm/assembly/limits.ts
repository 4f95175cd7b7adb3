/** A field or a value counts so much beside its bytes, so that very many tiny ones are as large as the time they take. */
export const VALUE_BYTES: u32 = 32

/** Set for each request. */
export class Limits {
  /** Of an event, a resource or a scope, both as it came and as JSON. */
  static maxEventBytes: u32 = 0
  /** Of the records of a scope and of the scopes of a resource. */
  static maxParts: u32 = 0
}
