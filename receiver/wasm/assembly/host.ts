// What the host gives: see src/decode/decoder-memory.ts.

/** Throws an UndecodableError that says what is wrong at a position; each `%` in it stands for a value. */
export declare function reject(what: string, first: f64, second: f64, position: usize): void

/** Throws an EventTooLargeError: an event, a resource or a scope is larger than it may be. */
export declare function rejectTooLarge(): void

/** Throws a TooManyRecordsError. */
export declare function rejectTooMany(): void

/** Makes the memory reach to `end`, or rejects the request. */
export declare function grow(end: f64): void

/** Writes a double that is no integer as JSON has it, and returns the end of that. */
export declare function writeDouble(value: f64, at: usize): usize

/** Writes the JSON that stands for a value that is nested too deep, and returns the end of that. */
export declare function writeTooDeep(at: usize): usize
