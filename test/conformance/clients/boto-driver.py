"""Runs a script of calls through boto3: JSON on stdin, one JSON line per call on stdout."""

import base64
import datetime
import json
import re
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

request = json.load(sys.stdin)
client = boto3.client(
    "lambda", endpoint_url=request["url"], config=Config(retries={"total_max_attempts": 1})
)
blobs = {name: base64.b64decode(text) for name, text in request["blobs"].items()}


def with_blobs(value):
    if isinstance(value, dict):
        return {key: with_blobs(item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("blob:"):
        return blobs[value[len("blob:") :]]
    return value


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return value.read().decode()
    return value


def settled(name):
    while True:
        found = client.get_function_configuration(FunctionName=name)
        if found["State"] == "Active" and found["LastUpdateStatus"] == "Successful":
            return
        time.sleep(0.05)


for call in request["calls"]:
    if call.get("settled"):
        settled(call["input"]["FunctionName"])
    method = re.sub(r"(?<!^)(?=[A-Z])", "_", call["operation"]).lower()
    try:
        answer = {"body": plain(getattr(client, method)(**with_blobs(call["input"])))}
    except ClientError as error:
        answer = {"error": error.response["Error"]["Code"]}
    print(json.dumps(answer), flush=True)
