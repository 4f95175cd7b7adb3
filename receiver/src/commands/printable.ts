/** Controls of C0 and C1, line separators, and what reorders text: all that makes a terminal show other than is there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A sender's text, for a terminal: one line, without escape sequences. A tab is `\u0009`, a newline `\u000a`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
