import { rejectJson } from './host'

/** Where the reading is. */
export class Scan {
  static position: usize = 0
  static end: usize = 0
  static state: i32 = 0
  /** The entry of the bracket that is open, as an offset in the tape; 0 for none. */
  static open: u32 = 0
  static depth: u32 = 0
  /** Where what is not stored as it is sent was met last. */
  static unusual: usize = 0
  static values: u32 = 0
  static maxValues: u32 = 0
  /** As far as the tape may come before there has to be more room. */
  static tapeLimit: usize = 0
  static stringStart: usize = 0
  static stringFlags: u32 = 0
  static numberFlags: u32 = 0
  /** Whether `scanKeyValue` read all of the object. */
  static isWhole: bool = false
}

export function fail(what: string, position: usize): void {
  rejectJson(what, position)
  unreachable()
}
