/**
 * Polls `probe` until it gives something other than undefined or false, and returns that. Fails after
 * `withinMs` with `reason`, so that a hang says what it waited for. For what cannot be awaited: other
 * processes, files, sockets.
 */
export async function until<T>(
  reason: string,
  probe: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = performance.now() + withinMs
  let thrown: unknown
  for (;;) {
    try {
      const value = await probe()
      // The two excluded values were just ruled out; TypeScript does not narrow type parameters.
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
      thrown = undefined
    } catch (error) {
      thrown = error
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`Waited ${withinMs} ms in vain until ${reason}.`, { cause: thrown })
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Fails with `reason` when `promise` has not settled after `withinMs`: uvu itself never times out. */
export async function within<T>(reason: string, promise: Promise<T>, withinMs = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${withinMs} ms in vain for ${reason}.`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
