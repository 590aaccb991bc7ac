import { measureEvents } from './events.ts'
import { measureCold } from './cold.ts'
import { measureAgainst } from './compare.ts'
import { measureComputing } from './computing.ts'
import { measureFrames } from './frames.ts'
import { measureHttp } from './http.ts'
import { loadTool } from './load.ts'
import { measureMemory } from './memory.ts'
import { measurePeers } from './peers.ts'
import { print, type Figure } from './report.ts'

/**
 * `npm run bench [-- section…] [--rounds N] [--seconds N] [--assert]`: every figure of the scoreboard in one
 * run, as ratios against floors measured beside it. `--assert` fails below 70 % of a target, so that noise
 * does not. `-- compare --against FOLDER` measures this build and the one in another checkout in turns.
 */
const argv = process.argv.slice(2)
const option = (name: string, fallback: number): number => {
  const index = argv.indexOf(`--${name}`)
  return index < 0 ? fallback : Number(argv[index + 1])
}
const rounds = option('rounds', 5)
const seconds = option('seconds', 2)

const sections: Record<string, () => Promise<Figure[]>> = {
  http: () => measureHttp(rounds, seconds),
  events: () => measureEvents(rounds, seconds),
  cold: measureCold,
  frames: measureFrames,
  memory: measureMemory,
  computing: () => measureComputing(rounds, seconds),
  peers: () => measurePeers(rounds, seconds),
}
const against = argv.indexOf('--against')
if (against >= 0) sections.compare = () => measureAgainst(argv[against + 1] ?? '', rounds, seconds)
const wanted = argv.filter((word) => word in sections)
const figures: Figure[] = []
for (const name of wanted.length > 0 ? wanted : Object.keys(sections)) {
  console.error(`measuring ${name} …`)
  figures.push(...((await sections[name]?.()) ?? []))
}
print(figures, loadTool)

if (argv.includes('--assert')) {
  const slack = 0.7
  const missed = figures.filter(
    ({ value, target }) =>
      (target?.atLeast !== undefined && value < target.atLeast * slack) ||
      (target?.atMost !== undefined && value > target.atMost / slack),
  )
  for (const figure of missed) console.error(`far off its target: ${figure.name}`)
  process.exitCode = missed.length > 0 ? 1 : 0
}
