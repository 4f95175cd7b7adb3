export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Axis {
  readonly label: string
  readonly log?: boolean
  /** Where lines and labels go. Default: round numbers. */
  readonly ticks?: readonly number[]
  readonly format?: (value: number) => string
}

const WIDTH = 720
const HEIGHT = 400
const LEFT = 84
const RIGHT = 24
const TOP = 56
const BOTTOM = 56
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'] // told apart by the colour-blind, too

/** A line chart as an SVG document. Without `log` the y axis begins at zero. */
export function lineChart(title: string, x: Axis, y: Axis, series: readonly Series[]): string {
  const points = series.flatMap((line) => line.points)
  const xTicks =
    x.ticks ??
    ticksOf(
      points.map(([value]) => value),
      x.log,
    )
  const yTicks = y.ticks ?? ticksOf([...points.map(([, value]) => value), ...(y.log ? [] : [0])], y.log)
  const toX = scale(x, [...xTicks, ...points.map(([value]) => value)], LEFT, WIDTH - RIGHT)
  const toY = scale(y, [...yTicks, ...points.map(([, value]) => value)], HEIGHT - BOTTOM, TOP)
  const parts = [
    text(title, LEFT, 22, 'font-size="15" font-weight="600"'),
    ...yTicks.map((tick) => horizontal(toY(tick), (y.format ?? number)(tick))),
    ...xTicks.map((tick) =>
      text((x.format ?? number)(tick), toX(tick), HEIGHT - BOTTOM + 18, 'text-anchor="middle"'),
    ),
    text(x.label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'text-anchor="middle" fill="#555"'),
    text(y.label, LEFT, 42, 'fill="#555"'),
    ...series.map((line, index) => path(line, COLORS[index % COLORS.length]!, toX, toY)),
    ...legend(series),
  ]
  return document(title, { width: WIDTH, height: HEIGHT }, parts)
}

export function document(
  title: string,
  { width, height }: { width: number; height: number },
  parts: readonly string[],
): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#222" role="img" aria-label="${escapeXml(title)}">\n<rect width="${width}" height="${height}" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
}

function scale(
  { log }: Axis,
  values: readonly number[],
  from: number,
  to: number,
): (value: number) => number {
  const map = (value: number) => (log ? Math.log10(value) : value)
  const low = map(Math.min(...values))
  const span = map(Math.max(...values)) - low || 1
  return (value) => Math.round((from + ((map(value) - low) / span) * (to - from)) * 10) / 10
}

const MOST_TICKS = 6

function ticksOf(values: readonly number[], log = false): number[] {
  const low = Math.min(...values)
  const high = Math.max(...values)
  if (log) {
    const first = Math.floor(Math.log10(low))
    return Array.from(
      { length: Math.ceil(Math.log10(high)) - first + 1 },
      (_, index) => 10 ** (first + index),
    )
  }
  const rough = (high - low || 1) / MOST_TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power
  const first = Math.floor(low / step)
  return Array.from({ length: Math.ceil(high / step) - first + 1 }, (_, index) => (first + index) * step)
}

function horizontal(y: number, label: string): string {
  return (
    `<line x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}" stroke="#e5e5e5"/>` +
    text(label, LEFT - 8, y + 4, 'text-anchor="end"')
  )
}

function path(
  { points }: Series,
  color: string,
  toX: (x: number) => number,
  toY: (y: number) => number,
): string {
  const places = points.map(([x, y]) => `${toX(x)},${toY(y)}`)
  const dots =
    points.length > 20
      ? []
      : points.map(([x, y]) => `<circle cx="${toX(x)}" cy="${toY(y)}" r="3.5" fill="${color}"/>`)
  return `<polyline points="${places.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join('')}`
}

function legend(series: readonly Series[]): string[] {
  let x = WIDTH - RIGHT
  return series.toReversed().map(({ name }, index) => {
    const color = COLORS[(series.length - 1 - index) % COLORS.length]
    const label = text(name, x, 42, 'text-anchor="end"')
    x -= name.length * 6.6 + 10
    const mark = `<rect x="${x - 6}" y="34" width="10" height="10" fill="${color}"/>`
    x -= 22
    return mark + label
  })
}

export function text(content: string, x: number, y: number, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escapeXml(content)}</text>`
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 })
}

export function escapeXml(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
