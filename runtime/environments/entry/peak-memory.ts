/** Asking the kernel costs as much as a small invocation, so the figure may be this old. */
const SAMPLE_MS = 50

/** Peak resident memory of this process so far, sampled now and then. */
export class PeakMemory {
  #sampledAtMs = Number.NEGATIVE_INFINITY
  #peakKb = 0

  /** `nowMs` is monotonic. */
  sampleKb(nowMs: number): number {
    if (nowMs - this.#sampledAtMs >= SAMPLE_MS) {
      this.#sampledAtMs = nowMs
      this.#peakKb = process.resourceUsage().maxRSS
    }
    return this.#peakKb
  }
}
