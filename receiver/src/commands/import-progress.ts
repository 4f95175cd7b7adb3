import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { ImportProgress } from './import-files.ts'

const REDRAW_MILLIS = 100
const BAR_WIDTH = 30

/** Draws one line over and over on a terminal, and nothing anywhere else. */
export class ProgressBar {
  readonly #stream: WriteStream
  readonly #startedAtMillis = performance.now()
  #drawnAtMillis = 0

  constructor(stream: WriteStream) {
    this.#stream = stream
  }

  update(progress: ImportProgress): void {
    const now = performance.now()
    const isLast = progress.bytes === progress.totalBytes
    if (!this.#stream.isTTY || (!isLast && now - this.#drawnAtMillis < REDRAW_MILLIS)) return
    this.#drawnAtMillis = now
    this.#stream.write(`\r${progressLine(progress, (now - this.#startedAtMillis) / 1000)}\x1b[K`)
  }

  /** Leaves the line as it is, or takes it away so that something else can be written. */
  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K')
  }
}

export function progressLine({ bytes, totalBytes, events }: ImportProgress, seconds: number): string {
  const share = totalBytes ? bytes / totalBytes : 1
  const filled = Math.round(share * BAR_WIDTH)
  const bar = styleText('green', '█'.repeat(filled)) + styleText('dim', '░'.repeat(BAR_WIDTH - filled))
  const rate = Math.round(events / Math.max(seconds, 0.001)).toLocaleString('en')
  const left = share > 0 && share < 1 ? `  ${Math.ceil((seconds * (1 - share)) / share)} s left` : ''
  return `${bar} ${Math.floor(share * 100)} %  ${events.toLocaleString('en')} events  ${rate}/s${left}`
}
