import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  Extensions,
  type ExtensionEvent,
} from '../../../../runtime/environments/entry/extensions/extensions.ts'

const registering = suite('registering an extension')
const events = suite('events of extensions')

const IDENTIFIER = /^[0-9a-f]{8}-0000-4000-8000-000000000000$/

function createExtensions({ concurrent = false } = {}): { extensions: Extensions; changes: () => number } {
  let made = 0
  let changes = 0
  const extensions = new Extensions({
    identifiers: () => `${(++made).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
    concurrent,
    onChange: () => (changes += 1),
  })
  return { extensions, changes: () => changes }
}

/** Registers one that must be let in; returns its identifier. */
function registered(extensions: Extensions, name: string, wanted: string[] = []): string {
  const extension = extensions.register({ name, body: { events: wanted } })
  assert.not.ok('status' in extension, JSON.stringify(extension))
  return 'identifier' in extension ? extension.identifier : ''
}

const refusal = (answer: unknown): string => {
  const { status, errorType } = answer as { status?: number; errorType?: string }
  return `${status} ${errorType}`
}

const invoke = (requestId: string): ExtensionEvent => ({ eventType: 'INVOKE', requestId })

registering('a launched executable becomes an external extension by its name', () => {
  const { extensions } = createExtensions()
  extensions.launched('agent')

  const extension = extensions.register({ name: 'agent', body: { events: ['INVOKE', 'SHUTDOWN', 'INVOKE'] } })

  assert.not.ok('status' in extension)
  const [only] = extensions.all
  assert.is(only?.external, true)
  assert.equal(only?.events, ['INVOKE', 'SHUTDOWN'])
  assert.match(only?.identifier ?? '', IDENTIFIER)
})

registering('any other name is an internal extension, which is not told of the end', () => {
  const { extensions } = createExtensions()

  const refused = extensions.register({ name: 'inner', body: { events: ['SHUTDOWN'] } })
  registered(extensions, 'inner', ['INVOKE'])

  assert.is(refusal(refused), '403 Extension.InvalidEventType')
  assert.is(extensions.all[0]?.external, false)
})

registering('is refused without a name, twice, and with what is no event type', () => {
  const { extensions } = createExtensions()
  registered(extensions, 'one')

  assert.is(refusal(extensions.register({ name: undefined, body: {} })), '403 Extension.InvalidExtensionName')
  assert.is(refusal(extensions.register({ name: 'one', body: {} })), '403 Extension.AlreadyRegistered')
  const odd = extensions.register({ name: 'two', body: { events: ['RESTART'] } })
  assert.is(refusal(odd), '403 Extension.InvalidEventType')
  assert.is(refusal(extensions.register({ name: 'two', body: undefined })), '400 InvalidRequestFormat')
})

registering('is refused for the eleventh', () => {
  const { extensions } = createExtensions()
  for (let number = 1; number <= 10; number++) registered(extensions, `extension-${number}`)

  const eleventh = extensions.register({ name: 'extension-11', body: { events: [] } })

  assert.is(refusal(eleventh), '403 Extension.TooManyExtensions')
})

registering('is refused for the eleventh executable, too', () => {
  const { extensions } = createExtensions()
  for (let number = 1; number <= 11; number++) extensions.launched(`extension-${number}`)
  for (let number = 1; number <= 10; number++) registered(extensions, `extension-${number}`)

  const eleventh = extensions.register({ name: 'extension-11', body: { events: [] } })

  assert.is(refusal(eleventh), '403 Extension.TooManyExtensions')
})

registering('is refused once init is over', () => {
  const { extensions } = createExtensions()
  extensions.closeRegistration()

  const late = extensions.register({ name: 'late', body: { events: [] } })

  assert.is(refusal(late), '403 Extension.RegistrationClosed')
})

registering('for invocations is refused where several run at once; for the end it is not', () => {
  const { extensions } = createExtensions({ concurrent: true })
  extensions.launched('agent')

  const refused = extensions.register({ name: 'agent', body: { events: ['INVOKE', 'SHUTDOWN'] } })

  assert.is(refusal(refused), '403 Extension.InvalidEventType')
  registered(extensions, 'agent', ['SHUTDOWN'])
})

events('are asked for under an identifier that was given out', () => {
  const { extensions } = createExtensions()
  const deliver = (): void => {}

  assert.is(refusal(extensions.next(undefined, deliver)), '403 Extension.MissingExtensionIdentifier')
  assert.is(refusal(extensions.next('agent', deliver)), '403 Extension.InvalidExtensionIdentifier')
  const unknown = extensions.next('00000009-0000-4000-8000-000000000000', deliver)
  assert.is(refusal(unknown), '403 Extension.UnknownExtensionIdentifier')
})

events('reach those who asked for them, who are busy until they ask again', () => {
  const { extensions } = createExtensions()
  const busy = registered(extensions, 'busy', ['INVOKE'])
  const quiet = registered(extensions, 'quiet', [])
  const received: ExtensionEvent[] = []
  assert.not.ok(extensions.ready)
  extensions.next(busy, (event) => received.push(event))
  extensions.next(quiet, () => assert.unreachable('it asked for nothing'))
  assert.ok(extensions.ready)

  extensions.invoked(invoke('a'))

  assert.equal(received, [invoke('a')])
  assert.not.ok(extensions.ready)
  extensions.next(busy, () => {})
  assert.ok(extensions.ready)
})

events('wait for one whose poll broke off, and it stays busy until it has read them', () => {
  const { extensions } = createExtensions()
  const identifier = registered(extensions, 'agent', ['INVOKE'])
  const giveUp = extensions.next(identifier, () => assert.unreachable('nobody is there'))
  assert.type(giveUp, 'function')
  if (typeof giveUp === 'function') giveUp()
  const received: ExtensionEvent[] = []

  extensions.invoked(invoke('a'))
  assert.not.ok(extensions.ready)
  extensions.next(identifier, (event) => received.push(event))

  assert.equal(received, [invoke('a')])
  assert.not.ok(extensions.ready)
})

events('are given to one poll at a time', () => {
  const { extensions } = createExtensions()
  const identifier = registered(extensions, 'agent', ['INVOKE'])
  extensions.next(identifier, () => {})

  const second = extensions.next(identifier, () => {})

  assert.is(refusal(second), '403 Extension.InvalidExtensionState')
})

events('of the end go to those who asked for it', () => {
  const { extensions } = createExtensions()
  extensions.launched('polite')
  extensions.launched('careless')
  const polite = registered(extensions, 'polite', ['SHUTDOWN'])
  const careless = registered(extensions, 'careless', ['INVOKE'])
  const received: ExtensionEvent[] = []
  extensions.next(polite, (event) => received.push(event))
  extensions.next(careless, (event) => received.push(event))
  const end: ExtensionEvent = { eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: 1 }

  const told = extensions.shutDown(end)

  assert.equal(received, [end])
  assert.equal(
    told.map((one) => one.name),
    ['polite'],
  )
})

events('end for one that reports an error: at init before its first poll only, later at any time', () => {
  const { extensions } = createExtensions()
  const early = registered(extensions, 'early')
  const late = registered(extensions, 'late')
  extensions.next(late, () => {})

  assert.is(refusal(extensions.reportError(early, 'init', undefined)), '403 Extension.MissingHeader')
  assert.not.ok('status' in extensions.reportError(early, 'init', 'Extension.NoKey'))
  assert.is(
    refusal(extensions.reportError(late, 'init', 'Extension.NoKey')),
    '403 Extension.InvalidExtensionState',
  )
  assert.not.ok('status' in extensions.reportError(late, 'exit', 'Extension.NoKey'))

  assert.is(refusal(extensions.next(early, () => {})), '403 Extension.InvalidExtensionState')
  assert.is(refusal(extensions.next(late, () => {})), '403 Extension.InvalidExtensionState')
})

events('end for one whose process is gone, which is news once', () => {
  const { extensions, changes } = createExtensions()
  extensions.launched('agent')

  const gone = extensions.exited('agent')

  assert.is(gone?.name, 'agent')
  assert.is(changes(), 1)
  assert.is(extensions.exited('agent'), undefined)
  assert.is(extensions.exited('nobody'), undefined)
})

registering.run()
events.run()
