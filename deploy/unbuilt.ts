/** Commands of the public face that this version names but cannot do; each exits 2 and says so. */
export const UNBUILT: readonly {
  readonly name: string
  readonly description: string
  readonly subcommands: readonly string[]
}[] = [
  {
    name: 'job',
    description: 'long work with states of its own',
    subcommands: ['submit', 'ls', 'status', 'logs', 'cancel', 'retry'],
  },
  { name: 'cron', description: 'schedules', subcommands: ['ls', 'explain', 'run', 'pause', 'resume'] },
]

/** Nouns of `lambent ls` that this version cannot list. */
export const UNBUILT_LISTS: readonly string[] = ['jobs', 'schedules']
