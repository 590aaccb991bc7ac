terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
variable "endpoint" { type = string }
variable "memory" {
  type    = number
  default = 256
}
variable "retries" {
  type    = number
  default = 1
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  endpoints {
    lambda = var.endpoint
    iam    = var.endpoint
    sts    = var.endpoint
    logs   = var.endpoint
  }
}
data "aws_caller_identity" "me" {}
resource "aws_iam_role" "role" {
  name               = "tf-role"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }] })
}
resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.role.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "basic" {
  role       = aws_iam_role.role.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
resource "aws_cloudwatch_log_group" "logs" {
  name              = "/aws/lambda/tf-fn"
  retention_in_days = 7
  tags              = { a = "b" }
}
resource "aws_lambda_layer_version" "note" {
  layer_name          = "tf-note"
  filename            = "layer.zip"
  source_code_hash    = filebase64sha256("layer.zip")
  description         = "one file"
  compatible_runtimes = ["nodejs20.x", "nodejs22.x"]
}
resource "aws_lambda_code_signing_config" "warn" {
  description = "only warns"
  allowed_publishers {
    signing_profile_version_arns = ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/abcdefghij"]
  }
  policies { untrusted_artifact_on_deployment = "Warn" }
}
resource "aws_lambda_function" "fn" {
  function_name                  = "tf-fn"
  role                           = aws_iam_role.role.arn
  runtime                        = "nodejs20.x"
  handler                        = "index.handler"
  filename                       = "fn.zip"
  source_code_hash               = filebase64sha256("fn.zip")
  memory_size                    = var.memory
  timeout                        = 10
  publish                        = true
  reserved_concurrent_executions = 5
  layers                         = [aws_lambda_layer_version.note.arn]
  code_signing_config_arn        = aws_lambda_code_signing_config.warn.arn
  environment { variables = { STAGE = "test" } }
  tags       = { team = "x" }
  depends_on = [aws_cloudwatch_log_group.logs]
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.fn.function_name
  function_version = aws_lambda_function.fn.version
}
resource "aws_lambda_permission" "s3" {
  statement_id  = "s3"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.fn.function_name
  principal     = "s3.amazonaws.com"
  source_arn    = "arn:aws:s3:::bucket"
  qualifier     = aws_lambda_alias.live.name
}
resource "aws_lambda_function_url" "url" {
  function_name      = aws_lambda_function.fn.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = "NONE"
  cors { allow_origins = ["*"] }
}
resource "aws_lambda_function_event_invoke_config" "async" {
  function_name                = aws_lambda_function.fn.function_name
  maximum_retry_attempts       = var.retries
  maximum_event_age_in_seconds = 120
}
resource "aws_lambda_provisioned_concurrency_config" "ready" {
  function_name                     = aws_lambda_function.fn.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = 1
}
resource "aws_lambda_event_source_mapping" "queue" {
  function_name    = aws_lambda_function.fn.arn
  event_source_arn = "arn:aws:sqs:us-east-1:000000000000:orders"
  batch_size       = 5
  enabled          = false
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
  }
}
resource "aws_lambda_runtime_management_config" "auto" {
  function_name     = aws_lambda_function.fn.function_name
  update_runtime_on = "FunctionUpdate"
}
resource "aws_lambda_function_recursion_config" "loop" {
  function_name  = aws_lambda_function.fn.function_name
  recursive_loop = "Allow"
}
output "url" { value = aws_lambda_function_url.url.function_url }
