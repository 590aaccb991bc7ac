import { ARRANGEMENTS, Harness, type ArrangementName } from './harness.ts'

/**
 * A process that is to be killed: a launcher with one environment, whose function has started a child, one
 * in a session of its own and a daemon. Prints a line of JSON when all of them run, then waits to die.
 *
 *     mini-engine.ts ARRANGEMENT MARK [FOLDER]
 */
const [, , name = '', mark = '', folder = ''] = process.argv
const options = ARRANGEMENTS[name as ArrangementName] // the test passes one of its keys
const place = { path: folder, join: (part: string) => `${folder}/${part}`, [Symbol.dispose]: () => {} }
const harness = await Harness.open(options, place)
const running = await harness.start()
await running.run(`
  const { spawn } = require('child_process')
  const first = require('fs').readFileSync('/proc/self/environ', 'utf8').split('\\0')
  const cookie = first.find((variable) => variable.startsWith('LAMBENT_ENGINE=')).slice(15)
  const env = { ...process.env, MARK: '${mark}', LAMBENT_ENGINE: cookie }
  const run = (command, detached) =>
    new Promise((resolve) => spawn('sh', ['-c', command], { env, detached, stdio: 'ignore' }).once('spawn', resolve))
  await run('exec sleep 600', false)
  await run('exec setsid sleep 600', true)
  await run('(setsid sleep 600 &); exit 0', true)
`)
process.stdout.write(`${JSON.stringify({ isolation: harness.launcher.isolation })}\n`)
setInterval(() => {}, 1000)
