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

/** Throws an UndecodableError that says what is wrong with the text at a position. */
export declare function rejectJson(what: string, position: usize): void

/** Throws the error for more values than are allowed. */
export declare function rejectValues(): void

/** Throws an UndecodableError that names the place of an entry and says what is wrong with it. */
export declare function rejectEntry(what: string, entry: usize): void

/** The double of the JSON number between two positions. */
export declare function readNumber(start: usize, end: usize): f64
