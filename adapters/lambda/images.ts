import { createHash } from 'node:crypto'
import { EngineError } from '../../runtime/errors.ts'
import type { ImageReference } from '../../runtime/registry/function-record.ts'
import type { Constraints } from './constraints.ts'
import type { Fields } from './fields.ts'

/**
 * The container image that a new function is made of; undefined for one from a zip. Throws EngineError
 * 'invalid' for what does not go with the package type.
 */
export function newImage(body: Fields): ImageReference | undefined {
  const uri = body.fields('Code')?.text('ImageUri')
  if (body.text('PackageType') !== 'Image') {
    if (uri !== undefined)
      throw new EngineError(
        'invalid',
        'Please do not provide ImageUri when creating a function with packageType Zip.',
      )
    if (body.has('ImageConfig'))
      throw new EngineError(
        'invalid',
        'Please do not provide ImageConfig when creating a function with packageType Zip.',
      )
    return undefined
  }
  refuseZipMembers(body)
  if (uri === undefined || uri === '')
    throw new EngineError(
      'invalid',
      'Please provide ImageUri when creating a function with packageType Image.',
    )
  return imageAt(uri)
}

/** Throws EngineError 'invalid' for members that an image brings with it. */
export function refuseZipMembers(body: Fields): void {
  const layers = body.texts('Layers') ?? []
  if (body.has('Handler') || body.has('Runtime') || layers.length > 0)
    throw new EngineError(
      'invalid',
      "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
    )
}

/** The image that a code update names, for a function made of one or not. Throws EngineError 'invalid'. */
export function updatedImage(body: Fields, before: ImageReference | undefined): ImageReference | undefined {
  const uri = body.text('ImageUri')
  if (before === undefined) {
    if (uri !== undefined)
      throw new EngineError(
        'invalid',
        'Please do not provide ImageUri when updating a function with packageType Zip.',
      )
    return undefined
  }
  if (uri === undefined || uri === '')
    throw new EngineError(
      'invalid',
      'Please provide ImageUri when updating a function with packageType Image.',
    )
  return imageAt(uri)
}

/**
 * No registry is asked: the digest is the one in the URI, or else stands for the URI itself, so that another
 * URI is other code.
 */
function imageAt(uri: string): ImageReference {
  const named = /@sha256:([0-9a-f]{64})$/.exec(uri)?.[1]
  return { uri, digest: named ?? createHash('sha256').update(uri).digest('hex') }
}

/** `<repository>@sha256:<digest>`. */
export function resolvedUri({ uri, digest }: ImageReference): string {
  const untagged = uri.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^:/]*$/, '')
  return `${untagged}@sha256:${digest}`
}

/** How an image is started, as it was given; undefined when nothing was. */
export interface ImageConfig {
  readonly EntryPoint?: readonly string[]
  readonly Command?: readonly string[]
  readonly WorkingDirectory?: string
}

/** What the model says about ImageConfig. */
export function checkImageConfig(body: Fields, constraints: Constraints): void {
  const config = body.fields('ImageConfig')
  constraints.length(config?.text('WorkingDirectory'), 'imageConfig.workingDirectory', 0, 1000)
  for (const [name, at] of [
    ['EntryPoint', 'imageConfig.entryPoint'],
    ['Command', 'imageConfig.command'],
  ] as const) {
    const values = config?.texts(name)
    if (values !== undefined && values.length > 1500)
      constraints.add(values, at, 'Member must have length less than or equal to 1500')
  }
}

/** Given anew as a whole; an empty one clears it. */
export function readImageConfig(body: Fields, before: unknown): unknown {
  const config = body.fields('ImageConfig')
  if (config === undefined) return before
  const [entryPoint, command, workingDirectory] = [
    config.texts('EntryPoint') ?? [],
    config.texts('Command') ?? [],
    config.text('WorkingDirectory') ?? '',
  ]
  const read: ImageConfig = {
    ...(entryPoint.length === 0 ? {} : { EntryPoint: entryPoint }),
    ...(command.length === 0 ? {} : { Command: command }),
    ...(workingDirectory === '' ? {} : { WorkingDirectory: workingDirectory }),
  }
  return Object.keys(read).length === 0 ? undefined : read
}
