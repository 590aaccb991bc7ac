/** What the hostile function reports of itself. */
export interface Findings {
  /** What it could read and must not, by name. */
  readonly seen: readonly string[]
  /** Folders it could write to. */
  readonly written: readonly string[]
  /** Processes of others that it could signal. */
  readonly signalled: readonly string[]
  /** Debugger ports that opened. */
  readonly inspectors: readonly number[]
  /** Whether it reached the engine's port on loopback. */
  readonly reachedEngine: boolean
  readonly tmpEntries: readonly string[]
  /** How many processes it sees. */
  readonly processes: number
  readonly uid: number
}

/** An index.js that tries whatever comes to mind; the event says what there is to find. */
export const PROBE = `
const fs = require('node:fs')
const net = require('node:net')
const { execSync } = require('node:child_process')

const works = (attempt) => { try { return attempt() !== false } catch { return false } }
const opens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('connect', () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})

function lookAround(event) {
  const seen = []
  const try_ = (what, attempt) => { if (works(attempt)) seen.push(what) }
  try_('variable of the engine', () => JSON.stringify(process.env).includes(event.secret))
  for (const name of Object.keys(process.env)) if (name.startsWith('LAMBENT_')) seen.push('variable ' + name)
  try_('/proc of the engine', () => fs.readFileSync('/proc/' + event.enginePid + '/environ', 'utf8').includes(event.secret))
  try_('memory of the engine', () => fs.openSync('/proc/' + event.enginePid + '/mem', 'r'))
  try_('/proc of the victim', () => event.victimPid > 0 && fs.readFileSync('/proc/' + event.victimPid + '/environ', 'utf8').includes('LAMBENT'))
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\\d+$/.test(name)) continue
    try_('environ of process ' + name, () => fs.readFileSync('/proc/' + name + '/environ', 'latin1').includes(event.secret))
    try_('root of process ' + name, () => fs.readdirSync('/proc/' + name + '/root' + event.dataDirectory).length > 0)
  }
  try_('the data folder', () => fs.readdirSync(event.dataDirectory).length > 0)
  try_('the store', () => fs.readFileSync(event.dataDirectory + '/lambent.db').length > 0)
  try_('the environments', () => fs.readdirSync(event.dataDirectory + '/environments').length > 0)
  try_('code of the victim', () => fs.readdirSync(event.dataDirectory + '/environments/' + event.victimId).length > 0)
  try_('/etc/shadow', () => fs.readFileSync('/etc/shadow').length > 0)
  try_('a file in /tmp of the machine', () => fs.readFileSync(event.outside, 'utf8') === event.secret)
  try_('passwordless root', () => execSync('sudo -n true', { stdio: 'ignore' }))
  try_('a namespace with root', () => execSync('unshare -Ur true && mount -t tmpfs none /mnt', { stdio: 'ignore' }))
  return seen
}

function write() {
  const places = ['/', '/tmp', '/var/task', '/var/runtime', '/var/lang', '/var/lang/cache', '/var/lambent', '/opt', '/usr', '/etc', '/var', '/home', '/root', '/run']
  return places.filter((place) => works(() => { fs.writeFileSync(place + '/planted', 'x'); fs.rmSync(place + '/planted') }))
}

exports.handler = async (event) => {
  const others = { engine: event.enginePid, victim: event.victimPid, parent: process.ppid }
  const signalled = Object.entries(others)
    .filter(([name, pid]) => pid > 1 && works(() => process.kill(pid, 0)) && name !== 'parent')
    .map(([name]) => name)
  for (const pid of [event.enginePid, event.victimPid, process.ppid, process.pid])
    if (pid > 1) works(() => process.kill(pid, 'SIGUSR1'))
  await new Promise((resolve) => setTimeout(resolve, 200))
  const inspectors = []
  for (const port of event.inspectorPorts) if (await opens(port)) inspectors.push(port)
  return {
    seen: lookAround(event),
    written: write(),
    signalled,
    inspectors,
    reachedEngine: await opens(event.enginePort),
    tmpEntries: fs.readdirSync('/tmp'),
    processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length,
    uid: process.getuid(),
  }
}`
