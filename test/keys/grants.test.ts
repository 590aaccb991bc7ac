import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { allows, fitsPattern, formatGrant, parseGrant } from '../../runtime/keys/grants.ts'

const grants = suite('grants')

const may = (scopes: string, ...question: [Parameters<typeof allows>[1], string | undefined]): boolean =>
  allows(scopes.split(' ').map(parseGrant), ...question)

grants('hold what lies below them, and nothing beside', () => {
  assert.ok(may('invoke', 'invoke', 'a'))
  assert.not.ok(may('invoke', 'read', 'a'))
  assert.not.ok(may('read', 'invoke', 'a'))
  assert.ok(may('deploy', 'read', 'a'))
  assert.not.ok(may('deploy', 'invoke', 'a'))
  for (const action of ['invoke', 'read', 'deploy', 'admin'] as const)
    assert.ok(may('admin', action, undefined))
  assert.not.ok(may('deploy invoke read', 'admin', undefined))
})

grants('for some functions do not reach others, nor what belongs to none', () => {
  assert.ok(may('invoke:orders-*', 'invoke', 'orders-new'))
  assert.not.ok(may('invoke:orders-*', 'invoke', 'other-orders-new'))
  assert.not.ok(may('read:orders-*', 'read', undefined))
  assert.ok(may('read:a read:b', 'read', 'b'))
})

grants('are written as they are read', () => {
  for (const text of ['invoke', 'read:a-*', 'deploy:*x*', 'admin'])
    assert.is(formatGrant(parseGrant(text)), text)
})

grants('patterns agree with regular expressions', () => {
  const letters = ['a', 'b', '*']
  const words = (length: number, from: readonly string[]): string[] =>
    length === 0 ? [''] : words(length - 1, from).flatMap((word) => from.map((letter) => word + letter))
  for (const pattern of [1, 2, 3, 4].flatMap((length) => words(length, letters)))
    for (const text of [0, 1, 2, 3, 4].flatMap((length) => words(length, ['a', 'b'])))
      assert.is(
        fitsPattern(pattern, text),
        new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text),
        `${pattern} ${text}`,
      )
})

grants.run()
