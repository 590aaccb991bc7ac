import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figure } from './report.ts'

/** Scripts that measure other systems, and the package each needs in PEERS_DIR; see peers/README.md. */
const PEERS: readonly (readonly [script: string, needs: string])[] = [
  ['serverless-offline.mjs', 'serverless-offline'],
  ['ric.mjs', 'aws-lambda-ric'],
  ['lambda-local.mjs', 'lambda-local'],
  ['miniflare.mjs', 'miniflare'],
  ['functions-framework.mjs', '@google-cloud/functions-framework'],
  ['bullmq.mjs', 'bullmq'],
  ['plainjob.mjs', 'plainjob'],
  ['restate.mjs', '@restatedev/restate-server'],
]
const TIME_LIMIT_MS = 180_000

/**
 * The peers that are installed, measured with the same event; the others are named on stderr with how to
 * install them.
 */
export async function measurePeers(rounds: number, seconds: number): Promise<Figure[]> {
  const directory = process.env['PEERS_DIR'] ?? join(tmpdir(), 'lambent-peers')
  const figures: Figure[] = []
  const missing: string[] = []
  for (const [script, needs] of PEERS) {
    if (!existsSync(join(directory, 'node_modules', needs))) missing.push(needs)
    else
      figures.push(
        ...(await measurePeer(script, { PEERS_DIR: directory, ROUNDS: `${rounds}`, SECS: `${seconds}` })),
      )
  }
  if (missing.length > 0) {
    console.error(`peers not in ${directory}: ${missing.join(', ')}. To install: test/bench/peers/install.sh`)
  }
  return figures
}

function measurePeer(script: string, settings: Readonly<Record<string, string>>): Promise<Figure[]> {
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url))
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...settings }, timeout: TIME_LIMIT_MS, maxBuffer: 1 << 24 }
    execFile(process.execPath, [path], options, (error, stdout) => {
      if (error) console.error(`${script}: ${error.message}`)
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
      resolve(lines.map((line) => figureOf(JSON.parse(line) as PeerLine))) // printed by peers/lib.mjs
    })
  })
}

interface PeerLine {
  readonly peer: string
  readonly metric: string
  readonly value: number
  readonly unit: string
}

const figureOf = ({ peer, metric, value, unit }: PeerLine): Figure => ({
  name: `${peer}: ${metric}`,
  value,
  unit,
})
