import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { flameGraph } from '../flame-graph.ts'
import { type CpuProfile, type Frame, foldProfile, prune } from '../flame-profile.ts'

const APP = pathToFileURL(join(import.meta.dirname, '../../receiver/src/routes/app.ts')).href
const DECODE = new URL('../decode/otlp-protobuf.ts', APP).href

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url },
  children,
})

/** A sample each 10 µs from 1,000 on: one of warm-up, seven counted, idle and native ones between them. */
const PROFILE: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 3, 8, 9]),
    node(2, '(idle)', ''),
    node(3, 'handle', APP, [4, 5, 7]),
    node(4, 'read<T>', DECODE, [6]),
    node(5, 'read<T>', DECODE),
    node(6, 'utf8Slice', ''),
    node(7, '', 'node:net'),
    node(8, '(garbage collector)', ''),
    node(9, '(program)', ''),
  ],
  samples: [4, 4, 5, 2, 6, 9, 3, 7, 8, 6, 4],
  timeDeltas: [0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10],
  startTime: 1_000,
}
const PERIOD = { from: 1_010, to: 1_100 }

const outline = ({ name, area, selfSamples, samples, children }: Frame): unknown[] => [
  name,
  area,
  selfSamples,
  samples,
  ...children.map(outline),
]

it('folds the samples of a period into a tree, a function once whatever line calls it', () => {
  const root = foldProfile(PROFILE, PERIOD)
  expect(outline(root)).toEqual([
    '(root)',
    'the rest',
    0,
    7,
    [
      'handle',
      'HTTP and streams',
      1,
      6,
      ['read<T>', 'protobuf decoding', 2, 4, ['utf8Slice', 'protobuf decoding', 2, 2]],
      ['(anonymous)', 'HTTP and streams', 1, 1],
    ],
    ['(garbage collector)', 'garbage collection', 1, 1],
  ])
  expect(root.children[0]?.children[0]?.file).toBe('receiver/src/decode/otlp-protobuf.ts')
})

it('draws what is not pruned, with its share to be read by pointing at it', () => {
  const svg = flameGraph('a & b', prune(foldProfile(PROFILE, PERIOD), 2))
  expect(svg).toContain(
    '<title>read&#60;T&#62; receiver/src/decode/otlp-protobuf.ts (protobuf decoding): 57.1 %</title>',
  )
  expect(svg).not.toContain('(garbage collector)')
})
