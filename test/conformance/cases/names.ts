import { InvokeCommand, type CreateFunctionCommand } from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { readRecordings } from '../recordings.ts'
import { ACCOUNT, arnOf } from '../service.ts'
import { commandOf } from './functions.ts'

interface Label {
  readonly name: string
  readonly qualifier?: string
  /** What CreateFunction is given, where it differs. */
  readonly created?: string
}

const long = (length: number): string => 'a'.repeat(length)

/** Names and qualifiers by the word that the recorded case has for them. */
const LABELS: Readonly<Record<string, Label>> = {
  function_name_is_single_invalid: { name: '*' },
  invalid_characters_in_qualifier: { name: 'my-function', qualifier: 'invalid!' },
  qualifier_too_long: { name: 'my-function', qualifier: long(129), created: `my-function:${long(129)}` },
  qualifier_too_long0: { name: 'my-function', qualifier: long(129), created: `my-function:${long(129)}` },
  qualifier_too_long1: { name: 'my-function', qualifier: long(65) },
  function_name_and_qualifier_too_long: { name: 'my-function', qualifier: long(65) },
  invalid_account_id_in_partial_arn: { name: 'invalid-account:function:my-function' },
  invalid_region_in_arn: { name: arnOf('my-function', 'invalid-region') },
  non_lambda_arn: { name: `arn:aws:ec2:us-east-1:${ACCOUNT}:instance:i-1234567890abcdef0` },
  function_name_too_long: { name: long(65) },
  function_name_too_long_and_invalid_region: { name: arnOf(`my-function${long(170)}`, 'invalid-region') },
  full_arn_and_qualifier_too_long_and_invalid_region: {
    name: arnOf(`my-function-${long(170)}`, 'invalid-region'),
    qualifier: long(129),
  },
  full_arn_with_multiple_qualifiers: { name: arnOf('my-function:1:2') },
  incomplete_arn: { name: `arn:aws:lambda:us-east-1:${ACCOUNT}:function` },
  partial_arn_with_extra_qualifier: { name: 'function:my-function:$LATEST:extra' },
  latest_version_with_additional_qualifier: { name: 'my-function:$LATEST', qualifier: '1' },
  lowercase_latest_qualifier: { name: 'my-function', qualifier: '$latest' },
  missing_region_in_arn: { name: arnOf('my-function', '') },
  misspelled_latest_in_arn: { name: arnOf('my-function:$LATES') },
}

const PREFIX = 'lambda_api::TestLambdaFunction::test_function_name_and_qualifier_validation['

/** Everything that can be wrong with a name. */
export const NAME_CASES: readonly Case[] = [
  ...[...readRecordings().keys()]
    .filter((name) => name.startsWith(PREFIX))
    .map((recording) => caseOf(recording)),
  {
    recording: 'lambda_api::TestLambdaFunction::test_invalid_invoke',
    script: async (run) => {
      const FunctionName = `arn:aws:lambda:us-east-1:123400000000@function:myfn`
      await run.record('invoke_function_name_pattern_exc', new InvokeCommand({ FunctionName }))
    },
  },
]

function caseOf(recording: string): Case {
  const [, word = '', operation = ''] = /\[(\w+)-(\w+)\]$/.exec(recording) ?? []
  const label = LABELS[word]
  if (label === undefined) throw new Error(`No name for ${recording}.`)
  return {
    recording,
    script: async (run) => {
      const command =
        operation === 'create_function'
          ? await creationOf(run, label)
          : commandOf(operation, label.name, label.qualifier)
      run.compare(`${operation}_exception`, summary(await run.send(command)))
    },
  }
}

const creationOf = (run: CaseRun, label: Label): Promise<CreateFunctionCommand> =>
  run.creation({ FunctionName: label.created ?? label.name })

/** These cases recorded the errors of a validation one by one. */
function summary(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { Code, Message } = (answer['Error'] ?? {}) as { Code?: string; Message?: string }
  const match = /^(\d+) validation errors? detected: ([^]*)$/.exec(Message ?? '')
  if (match === null) return { Code, Message }
  return { Code, Count: Number(match[1]), Errors: (match[2] ?? '').split('; ') }
}
