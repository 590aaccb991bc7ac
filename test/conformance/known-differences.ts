/**
 * Why an entry differs, by `<recording> <entry>`, or why no script leads to it. `*` stands for all entries
 * that no script leads to.
 */
export const KNOWN_DIFFERENCES: Readonly<Record<string, string>> = {
  'lambda_api::TestLambdaFunction::test_update_lambda_exceptions invalid_runtime_exc':
    'the list of runtimes has grown since the recording',
  'lambda_api::TestLambdaFunction::test_update_lambda_exceptions uppercase_runtime_exc':
    'the list of runtimes has grown since the recording',
  'lambda_api::TestLambdaFunction::test_function_arns function_arn_other_account_exc':
    'AWS leaves the message empty; this one says which account may not see which',
  'lambda_api::TestLambdaVersions::test_publish_with_wrong_revisionid create_response':
    'recorded before SnapStart, LoggingConfig and RuntimeVersionConfig existed',
  'lambda_api::TestLambdaVersions::test_publish_with_wrong_revisionid get_fn_response':
    'recorded before SnapStart, LoggingConfig and RuntimeVersionConfig existed',
  'lambda_api::TestLambdaVersions::test_publish_with_wrong_revisionid publish_result':
    'recorded before SnapStart, LoggingConfig and RuntimeVersionConfig existed',
  'lambda_api::TestLambdaFunction::test_invalid_vpc_config_subnet create-response-non-existent-subnet-id':
    'there is no EC2 here that would know a subnet from none',
  [String.raw`lambda::TestLambdaErrors::test_lambda_invoke_payload_encoding_error[body-n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt] invoke_function_invalid_payload_body`]:
    'the words of another JSON parser follow the same beginning',
  [String.raw`lambda::TestLambdaErrors::test_lambda_invoke_payload_encoding_error[message-\x99\xeb,j\x07\xa1zYh] invoke_function_invalid_payload_message`]:
    'the words of another JSON parser follow the same beginning',
  'lambda::TestLambdaBehavior::test_lambda_invoke_timed_out_environment_reuse invoke-result-timed-out':
    'recorded before a timeout had an errorType; test_lambda_invoke_with_timeout has the newer words',
  'lambda_api::TestLambdaEventSourceMappings::test_event_source_mapping_lifecycle *': 'an answer of DynamoDB',
  'lambda_api::TestLambdaEventSourceMappings::test_create_event_source_self_managed event-source-mapping-default':
    'recorded before mappings had an ARN',
  'lambda_api::TestLambdaEventSourceMappings::test_create_event_source_self_managed event-source-mapping-values':
    'recorded before mappings had an ARN',
  'lambda::TestLambdaURL::test_lambda_url_echo_http_fixture_default url_response':
    'there is no TLS here to tell of, and the host has a port',
  'lambda_api::TestLambdaTag::test_create_tag_on_esm_create get_event_source_mapping_with_tag':
    'the outcome of a comparison of the recorder, not an answer',
}

/** Recorded cases without a script, by what their names match, and why. */
export const EXCLUDED: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /\[(java|ruby|dotnet)[^\]]*\]$|TestJavaRuntimes/,
    "needs AWS's own runtime for Java, Ruby or .NET, which is not to be had outside its images",
  ],
  [/\[(python3\.8|nodejs18\.x)\]$/, 'a runtime that can no longer be created'],
  [/test_runtime_introspection_(arm|x86)$/, "reports the processor and kernel of AWS's machines"],
  [/test_runtime_ulimits$/, "reports the limits of AWS's machines"],
  [/test_invocation_type_event_error$/, 'its log lines hold the durations of that day'],
  [/test_lambda_runtime_exit_segfault$/, 'recorded as a time limit of 30 s; a crash is told as one here'],
  [/test_assume_role/, 'reports the identity that IAM gave to a function'],
  [/test_lambda_url_echo_http_fixture_trim_x_headers$/, "holds the headers of AWS's own front"],
  [/test_lambda_host_prefix_api_operation$/, 'calls another service of AWS from inside a function'],
]
