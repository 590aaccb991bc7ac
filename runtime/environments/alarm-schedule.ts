import { Cron } from 'croner'

/**
 * When an alarm that rings again and again rings next: five cron fields (UTC), or `rate(5 minutes)`. Used
 * where alarms are set and where they ring; whoever may never set one imports this file when it does.
 */
const RATE = /^rate\(\s*(\d{1,6})\s+(second|minute|hour|day)s?\s*\)$/
const UNIT_MS: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

/** Whether a text can only be meant as a schedule, not as a duration or a date. */
export const looksLikeSchedule = (text: string): boolean =>
  text.startsWith('rate(') || /^\S+(\s+\S+){4}$/.test(text.trim())

/**
 * The first time after `afterMs`, both Unix epoch ms. Throws a RangeError that says what is wrong with an
 * expression, or that it never comes due.
 */
export function nextDue(schedule: string, afterMs: number): number {
  const rate = RATE.exec(schedule)
  if (rate !== null) {
    const everyMs = Number(rate[1]) * (UNIT_MS[rate[2] ?? ''] ?? 0)
    if (everyMs > 0) return afterMs + everyMs
    throw new RangeError(`The schedule "${schedule}" never rings: its rate is zero.`)
  }
  const next = cronOf(schedule).nextRun(new Date(afterMs))
  if (next === null) throw new RangeError(`The schedule "${schedule}" never comes due again.`)
  return next.getTime()
}

function cronOf(schedule: string): Cron {
  try {
    return new Cron(schedule.trim(), { timezone: 'Etc/UTC', mode: '5-part', paused: true })
  } catch (error) {
    throw new RangeError(
      `"${schedule}" is no schedule: it takes five cron fields such as "0 9 * * 1-5" (UTC), or "rate(5 minutes)".`,
      { cause: error },
    )
  }
}
