"""What a Python program does with boto3 and nothing but an endpoint. Prints one JSON line per finding."""

import base64
import io
import json
import os
import sys
import zipfile

import boto3
from botocore.config import Config


def zip_of(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.js", source)
    return buffer.getvalue()


def found(name, value):
    print(json.dumps({"name": name, "value": value}), flush=True)


def error_class(call, **arguments):
    """The class that botocore raised, whether it is the modelled one, the status and the message."""
    try:
        call(**arguments)
    except client.exceptions.ClientError as error:
        modelled = getattr(client.exceptions, type(error).__name__, None) is type(error)
        return {
            "class": type(error).__name__,
            "modelled": modelled,
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
            "message": error.response["Error"]["Message"],
            "type": error.response.get("Type"),
        }
    return None


SOURCE = """exports.handler = async (event, context) => {
  console.log('seen', event.a)
  if (event.fail) throw new TypeError(event.fail)
  return { a: event.a, size: event.text?.length, version: context.functionVersion }
}"""
ROLE = "arn:aws:iam::000000000000:role/r"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:py"

client = boto3.client(
    "lambda",
    endpoint_url=sys.argv[1],
    config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
)


def create(name, **more):
    return client.create_function(
        FunctionName=name,
        Role=ROLE,
        Runtime="nodejs22.x",
        Handler="index.handler",
        Timeout=20,
        Code={"ZipFile": zip_of(SOURCE)},
        **more,
    )


def payload(answer):
    return json.loads(answer["Payload"].read())


created = create("py", Tags={"team": "red"}, Environment={"Variables": {"COLOUR": "blue"}})
found("created", [created["State"], created["FunctionArn"], created["ResponseMetadata"]["HTTPStatusCode"]])
client.get_waiter("function_active_v2").wait(FunctionName="py", WaiterConfig={"Delay": 1})

answer = client.invoke(FunctionName="py", Payload=json.dumps({"a": "één"}), LogType="Tail")
found("tail", base64.b64decode(answer["LogResult"]).decode().split("\n")[1].split("\t")[2:])
found("invoked", [answer["StatusCode"], answer["ExecutedVersion"], payload(answer)])
answer = client.invoke(FunctionName=ARN, Payload=json.dumps({"fail": "no"}))
failed = payload(answer)
found("failed", [answer["FunctionError"], failed["errorType"], failed["errorMessage"]])
# Above a megabyte botocore asks first, with Expect: 100-continue.
answer = client.invoke(FunctionName="py", Payload=json.dumps({"text": "x" * 3_000_000}))
found("large", payload(answer)["size"])
answer = client.invoke(FunctionName="py", InvocationType="Event", Payload=b"{}")
found("event", [answer["StatusCode"], answer["Payload"].read().decode()])
found("dry", client.invoke(FunctionName="py", InvocationType="DryRun")["StatusCode"])
stream = client.invoke_with_response_stream(FunctionName="py", Payload=b'{"a":1}')
events = list(stream["EventStream"])
chunks = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
found("streamed", [json.loads(chunks), "InvokeComplete" in events[-1]])

update = client.update_function_code(FunctionName="py", ZipFile=zip_of(SOURCE + " //"), Publish=True)
client.get_waiter("function_updated_v2").wait(FunctionName="py", WaiterConfig={"Delay": 1})
client.get_waiter("published_version_active").wait(FunctionName="py", Qualifier=update["Version"])
client.create_alias(FunctionName="py", Name="live", FunctionVersion=update["Version"])
found("alias", payload(client.invoke(FunctionName="py", Qualifier="live")))
found("by label", payload(client.invoke(FunctionName=ARN + ":live")))
pages = client.get_paginator("list_versions_by_function").paginate(FunctionName="py", MaxItems=1)
found("versions", [one["Version"] for page in pages for one in page["Versions"]])
found("tags", client.list_tags(Resource=ARN)["Tags"])
client.untag_resource(Resource=ARN, TagKeys=["team"])
found("untagged", client.list_tags(Resource=ARN)["Tags"])
put = client.put_function_event_invoke_config(FunctionName="py", MaximumRetryAttempts=0)
found("event config", [put["MaximumRetryAttempts"], str(put["LastModified"].tzinfo)])
url = client.create_function_url_config(FunctionName="py", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
found("url", [url["AuthType"], url["Cors"]])

found("not found", error_class(client.get_function, FunctionName="nobody"))
found("conflict", error_class(create, name="py"))
found("bad value", error_class(client.update_function_configuration, FunctionName="py", Runtime="cobol"))
found("bad shape", error_class(client.update_function_configuration, FunctionName="py", Role="nobody"))
revision = {"FunctionName": "py", "RevisionId": "11111111-2222-3333-4444-555555555555"}
found("revision", error_class(client.publish_version, **revision))
found("not json", error_class(client.invoke, FunctionName="py", Payload=b'{"a":'))
client.put_function_concurrency(FunctionName="py", ReservedConcurrentExecutions=0)
found("throttled", error_class(client.invoke, FunctionName="py", Payload=b"{}"))
client.delete_function(FunctionName="py")
found("deleted", error_class(client.delete_function, FunctionName="py"))
found("left", client.list_functions()["Functions"])
