import { createHash } from 'node:crypto'
import {
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  readlink,
  writeFile,
  chmod,
} from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../log.ts'

/** The folder of one environment on this machine, with everything that is bound into its sandbox. */
export interface EnvironmentFolder {
  readonly path: string
  readonly taskDirectory: string
  readonly cacheDirectory: string
  readonly temporaryDirectory: string
  /** Its layers as one folder; null when it has none. */
  readonly optDirectory: string | null
  /** A file to see as /etc/hosts, which names its own address; null where it could not be written. */
  readonly hostsPath: string | null
  /** The loopback address that this environment's extensions know as their own. */
  readonly sandboxAddress: string
}

/**
 * Makes `<parent>/<id>` with a /tmp that belongs to `uid` alone (to us when null). One layer is used where
 * it lies; several are hard-linked into one folder in their order, so that a later one covers an earlier
 * one.
 */
export async function makeEnvironmentFolder(
  parent: string,
  id: string,
  uid: number | null,
  layers: readonly string[],
): Promise<EnvironmentFolder> {
  const path = join(parent, id)
  try {
    return await fillFolder(path, id, uid, layers)
  } catch (error) {
    await rm(path, { recursive: true, force: true }).catch(() => {}) // the error says more
    throw error
  }
}

async function fillFolder(
  path: string,
  id: string,
  uid: number | null,
  layers: readonly string[],
): Promise<EnvironmentFolder> {
  const folder = (name: string): string => join(path, name)
  await mkdir(path, { mode: 0o755 })
  await Promise.all(['task', 'cache'].map((name) => mkdir(folder(name))))
  await Promise.all(['task', 'cache'].map((name) => chmod(folder(name), 0o755)))
  await mkdir(folder('tmp'), { mode: 0o700 })
  if (uid !== null) await chown(folder('tmp'), uid, uid)
  let optDirectory = layers[0] ?? null
  if (layers.length > 1) {
    optDirectory = folder('opt')
    for (const layer of layers) await linkTree(layer, optDirectory)
  }
  const sandboxAddress = ownAddress(id)
  // On a full disk it goes without: then only extensions miss a name.
  const hostsPath = await writeHosts(folder('hosts'), sandboxAddress).then(
    () => folder('hosts'),
    () => null,
  )
  return {
    hostsPath,
    sandboxAddress,
    path,
    taskDirectory: folder('task'),
    cacheDirectory: folder('cache'),
    temporaryDirectory: folder('tmp'),
    optDirectory,
  }
}

/** Where a process sees its layers: at their place on AWS, unless it has no view of its own. */
export const optRootOf = ({ optDirectory }: EnvironmentFolder, ownView: boolean): string =>
  ownView ? '/opt' : (optDirectory ?? '/opt')

/** Removes a folder and all in it, if it exists; what resists is left for the next start to remove. */
export async function removeFolder(path: string, log: Log): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
  } catch (error) {
    // A function may take its own permissions away; the folder is removed when the next engine starts.
    log.debug('an environment folder was left behind', { path, error })
  }
}

/** Writes an /etc/passwd that names the user an environment runs as the way Lambda does. */
export async function writePasswd(path: string, uid: number): Promise<void> {
  const lines = [
    'root:x:0:0:root:/root:/usr/sbin/nologin',
    `sbx_user1051:x:${uid}:${uid}::/home/sbx_user1051:/usr/sbin/nologin`,
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
  await chmod(path, 0o644)
}

/**
 * A loopback address that hardly any other environment has: loopback is shared with the machine, and the
 * extensions of several environments of one function listen on the same port.
 */
function ownAddress(id: string): string {
  const bytes = createHash('sha256').update(id).digest()
  const [first = 0, second = 0, third = 0] = bytes
  return `127.${1 + (first % 254)}.${second}.${1 + (third % 254)}`
}

/** Writes the machine's names of hosts and that of the environment itself. */
async function writeHosts(path: string, address: string): Promise<void> {
  const known = await readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n')
  await writeFile(path, `${known.trimEnd()}\n${address}\tsandbox.localdomain sandbox\n`)
  await chmod(path, 0o644)
}

async function linkTree(from: string, to: string): Promise<void> {
  // What an earlier layer has there gives way, above all a link: nothing is ever put through one.
  if (!(await isFolder(to))) {
    await rm(to, { force: true })
    await mkdir(to, { mode: 0o755 })
  }
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) {
      await linkTree(source, target)
      continue
    }
    await rm(target, { recursive: true, force: true })
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else await link(source, target)
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
