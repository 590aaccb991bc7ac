import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Session } from '../session.ts'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { packageRoot } from './version.ts'

/** `lambent init [DIR]`: a project of one function. Nothing that exists is overwritten. */
export async function init({ out }: Session, folder: string): Promise<ExitCode> {
  const target = resolve(folder)
  const files = projectFiles(target)
  const taken = Object.keys(files).filter((path) => existsSync(join(target, path)))
  if (taken.length > 0) {
    throw new CommandError(EXIT.usage, `${target} already has ${taken.join(', ')}.`, {
      hint: 'Name an empty folder: lambent init my-project',
    })
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(target, path)), { recursive: true })
    writeFileSync(join(target, path), content)
  }
  await out.answer({ directory: target, files: Object.keys(files) }, () => target)
  if (!out.json) {
    const functions = join(relative(process.cwd(), target), 'functions')
    out.note(`  ${program()} dev ${functions}`)
    out.note(`  ${program()} invoke hello -p '{"name":"Ada"}'`)
  }
  return EXIT.ok
}

/**
 * How this installation is called from here: npx finds it only in its own folder or where it is a dependency.
 */
const program = (): string =>
  process.cwd() === packageRoot() || packageRoot().startsWith(join(process.cwd(), 'node_modules'))
    ? 'npx lambent'
    : `node ${join(packageRoot(), 'dist', 'lambent.js')}`

function projectFiles(target: string): Record<string, string> {
  // npm's rule for names: lower case, and no leading dot or underscore.
  const name = basename(target)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  const toInstallation = relative(target, packageRoot()) || '.'
  const fromHere = (path: string): string => {
    const joined = join(toInstallation, path).replaceAll('\\', '/')
    return joined.startsWith('.') ? joined : `./${joined}`
  }
  const manifest = {
    name: name === '' ? 'functions' : name,
    private: true,
    type: 'module',
    scripts: {
      dev: `node ${fromHere('dist/lambent.js')} dev functions`,
      deploy: `node ${fromHere('dist/lambent.js')} deploy functions`,
    },
  }
  const tsconfig = {
    compilerOptions: {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      types: ['node'],
      typeRoots: [typesFolder(fromHere)],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      paths: {
        lambent: [fromHere('dist/types/runtime/sdk/index.d.ts')],
        'lambent/client': [fromHere('dist/types/runtime/sdk/client.d.ts')],
      },
    },
    include: ['functions'],
  }
  return {
    'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(tsconfig, null, 2)}\n`,
    '.gitignore': 'node_modules/\n.lambent/\n',
    'functions/hello/index.ts': HELLO,
  }
}

/** Node's types lie inside an installation of our checkout, and beside an installed package. */
function typesFolder(fromHere: (path: string) => string): string {
  const inside = join(packageRoot(), 'node_modules', '@types')
  const hasNode = existsSync(inside) && readdirSync(inside).includes('node')
  return fromHere(hasNode ? 'node_modules/@types' : '../@types')
}

const HELLO = `import type { Handler } from 'lambent'

export const handler: Handler<{ name?: string }> = async (event) => {
  return { greeting: \`Hello, \${event.name ?? 'world'}!\` }
}
`
