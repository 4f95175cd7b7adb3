import { AREA_NAMES, type Area, type Frame } from './flame-profile.ts'
import { document, escapeXml, text } from './svg.ts'

const WIDTH = 1_200
const ROW = 18
const TOP = 64
const MARGIN = 8
const CHARACTER = 6.4
/** Of the areas in their order. */
const COLORS = ['#e8a0a0', '#c4b5e0', '#f0e08a', '#9ccfd8', '#b5d99c', '#f6c177', '#a8c7f0', '#d9d9d9']

/** Callers below what they call, as wide as their share of the samples. */
export function flameGraph(title: string, root: Frame): string {
  const height = TOP + depthOf(root) * ROW + MARGIN
  const widthOf = (frame: Frame) => (frame.samples / root.samples) * (WIDTH - 2 * MARGIN)
  const draw = (frame: Frame, x: number, depth: number): string[] => {
    const parts = [drawFrame(frame, { x, y: height - MARGIN - (depth + 1) * ROW, width: widthOf(frame) })]
    for (const child of frame.children) {
      parts.push(...draw(child, x, depth + 1))
      x += widthOf(child)
    }
    return parts
  }
  const drawFrame = (frame: Frame, { x, y, width }: { x: number; y: number; width: number }): string => {
    const share = ((frame.samples / root.samples) * 100).toFixed(1)
    const tooltip = `${frame.name} ${frame.file} (${frame.area}): ${share} %`
    const box = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colorOf(frame.area)}" stroke="#fff" stroke-width=".5"/>`
    const label = fit(frame, width)
    return `<g><title>${escapeXml(tooltip)}</title>${box}${label && text(label, round(x + 3), y + 13, 'font-size="11"')}</g>`
  }
  const heading = text(title, MARGIN, 22, 'font-size="15" font-weight="600"')
  return document(title, { width: WIDTH, height }, [heading, ...legend(), ...draw(root, MARGIN, 0)])
}

function legend(): string[] {
  let x = MARGIN
  return AREA_NAMES.map((area) => {
    const entry = `<rect x="${round(x)}" y="36" width="10" height="10" fill="${colorOf(area)}"/>${text(area, round(x + 14), 45, '')}`
    x += area.length * CHARACTER + 40
    return entry
  })
}

function colorOf(area: Area): string {
  return COLORS[AREA_NAMES.indexOf(area) % COLORS.length]!
}

/** With the file's name where there is room, cut where there is not even room for the function's. */
function fit({ name, file }: Frame, width: number): string {
  const room = Math.floor((width - 6) / CHARACTER)
  const full = file ? `${name} ${file.slice(file.lastIndexOf('/') + 1)}` : name
  if (full.length <= room) return full
  if (name.length <= room) return name
  return room > 2 ? `${name.slice(0, room - 1)}…` : ''
}

function depthOf({ children }: Frame): number {
  return 1 + Math.max(0, ...children.map(depthOf))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
