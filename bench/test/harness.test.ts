import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { formatTable, interleaved, median, medianRow, medianRows } from '../harness.ts'
import { treeCpuSeconds } from '../processes.ts'
import { lineChart } from '../svg.ts'

describe('the harness', () => {
  it('runs variants in turn', async () => {
    const order: string[] = []
    const variant = (name: string) => async () => ({ run: order.push(name) })
    const rows = await interleaved({ a: variant('a'), b: variant('b') }, 3)
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
    expect(rows.b).toEqual([{ run: 2 }, { run: 4 }, { run: 6 }])
    expect(medianRows(rows)).toEqual([
      { variant: 'a', run: 3 },
      { variant: 'b', run: 4 },
    ])
  })

  it('takes the median of numbers and the first of everything else', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    const rows = [3, 1, 2].map((ms) => ({ name: `run ${ms}`, ms, curve: [ms] }))
    expect(medianRow(rows)).toEqual({ name: 'run 3', ms: 2, curve: [3] })
  })

  it('aligns numbers to the right and leaves out what is no cell', () => {
    const rows = [
      { name: 'ours', 'events/s': 123_456.7, share: 0.8571, curve: [1, 2] },
      { name: 'theirs, which is longer', 'events/s': 9, share: Number.NaN },
      { name: 'no share', 'events/s': 42.42 },
    ]
    expect(formatTable(rows)).toBe(
      [
        'name                     events/s  share',
        '───────────────────────  ────────  ─────',
        'ours                      123,457   0.86',
        'theirs, which is longer         9      -',
        'no share                     42.4',
      ].join('\n'),
    )
  })

  it('counts the CPU of child processes that are gone', () => {
    const before = treeCpuSeconds(process.pid)
    execFileSync(process.execPath, [
      '-e',
      'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);',
    ])
    expect(treeCpuSeconds(process.pid) - before).toBeGreaterThan(0.25)
  })
})

describe('lineChart', () => {
  it('keeps every point inside the frame, on linear and logarithmic axes', () => {
    const svg = lineChart('a < b', { label: 'x', log: true }, { label: 'y' }, [
      {
        name: 'one',
        points: [
          [1, 0],
          [10, 50],
          [5_000, 120_000],
        ],
      },
      {
        name: 'two',
        points: [
          [1, 1],
          [5_000, 7],
        ],
      },
    ])
    expect(svg).toContain('a &#60; b')
    const places = [...svg.matchAll(/points="([^"]+)"/g)].flatMap(([, points]) => points!.split(' '))
    expect(places).toHaveLength(5)
    for (const place of places) {
      const [x, y] = place.split(',').map(Number)
      expect(x).toBeGreaterThanOrEqual(0)
      expect(x).toBeLessThanOrEqual(720)
      expect(y).toBeGreaterThanOrEqual(0)
      expect(y).toBeLessThanOrEqual(400)
    }
  })
})
