import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import type { IntervalReport, Percentiles } from './options.ts'

const HOUR_MICROS = 3_600_000_000
const BUSY = 0.85

/** Counts and times what happens between `begin` and `end`; what happens before and after is not measured. */
export class Meter {
  readonly #latency = microsHistogram()
  readonly #intervalLatency = microsHistogram()
  readonly #late = microsHistogram()
  #measuring = false
  #beganAt = 0
  #beganCpu = process.cpuUsage()
  #beganLoop = performance.eventLoopUtilization()
  #acceptedEvents = 0
  #intervalBeganAt = 0
  #intervalEvents = 0

  begin(): void {
    this.#measuring = true
    this.#beganAt = this.#intervalBeganAt = performance.now()
    this.#beganCpu = process.cpuUsage()
    this.#beganLoop = performance.eventLoopUtilization()
  }

  sent(lateMillis: number): void {
    if (this.#measuring) this.#late.record(toMicros(lateMillis))
  }

  answered(latencyMillis: number, acceptedEvents: number): void {
    if (!this.#measuring) return
    this.#latency.record(toMicros(latencyMillis))
    this.#intervalLatency.record(toMicros(latencyMillis))
    this.#acceptedEvents += acceptedEvents
    this.#intervalEvents += acceptedEvents
  }

  interval(elapsedMillis: number): IntervalReport {
    const now = performance.now()
    const report = {
      elapsedMillis: Math.round(elapsedMillis),
      eventsPerSecond: Math.round((this.#intervalEvents * 1000) / (now - this.#intervalBeganAt)),
      latencyMillis: percentiles(this.#intervalLatency),
    }
    this.#intervalBeganAt = now
    this.#intervalEvents = 0
    this.#intervalLatency.reset()
    return report
  }

  end() {
    this.#measuring = false
    const seconds = (performance.now() - this.#beganAt) / 1000
    const cpu = process.cpuUsage(this.#beganCpu)
    const cpuSeconds = (cpu.user + cpu.system) / 1e6
    const { utilization } = performance.eventLoopUtilization(this.#beganLoop)
    return {
      seconds,
      eventsPerSecond: Math.round(this.#acceptedEvents / seconds),
      latencyMillis: percentiles(this.#latency),
      latencyCurve: Array.from(
        this.#latency.percentiles as Map<number, number>,
        ([percentile, micros]) => [percentile, micros / 1000] as const,
      ),
      lateMillis: percentiles(this.#late),
      cpuSeconds,
      eventLoopUtilization: utilization,
      bottleneck: bottleneck(cpuSeconds / seconds, utilization),
    }
  }
}

function bottleneck(cores: number, eventLoopUtilization: number): string | null {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  if (cores > BUSY) return `the generator used ${percent(cores)} of a core`
  if (eventLoopUtilization > BUSY)
    return `the generator's event loop was ${percent(eventLoopUtilization)} busy`
  return null
}

function microsHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: HOUR_MICROS, figures: 3 })
}

function toMicros(millis: number): number {
  return Math.min(Math.max(Math.round(millis * 1000), 1), HOUR_MICROS)
}

function percentiles(micros: RecordableHistogram): Percentiles {
  if (micros.count === 0) return { mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 }
  return {
    mean: Math.round(micros.mean) / 1000,
    p50: micros.percentile(50) / 1000,
    p90: micros.percentile(90) / 1000,
    p99: micros.percentile(99) / 1000,
    p999: micros.percentile(99.9) / 1000,
    max: micros.max / 1000,
  }
}
