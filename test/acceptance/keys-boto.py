"""Signs with a key of an engine that asks for keys, as boto3 does; prints what came back as JSON."""
import json
import os
import ssl
import sys
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

endpoint, url, ca = sys.argv[1:4]
verify = ca or None
config = Config(retries={"max_attempts": 1})
lambda_ = boto3.client("lambda", endpoint_url=endpoint, verify=verify, config=config)
sts = boto3.client("sts", endpoint_url=endpoint, verify=verify, config=config)


def code_of(call):
    try:
        call()
        return ""
    except ClientError as error:
        return error.response["Error"]["Code"]


forged = boto3.client(
    "lambda",
    endpoint_url=endpoint,
    verify=verify,
    config=config,
    aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key="forged",
)
arn = "arn:aws:lambda:us-east-1:000000000000:function:echo"
payload = json.dumps({"text": "grüße & a+b/c"}).encode()
invoked = lambda_.invoke(FunctionName=arn, Payload=payload, LogType="Tail")


def fetch(signer, target, method="GET", body=None, service="lambda"):
    key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    request = AWSRequest(method=method, url=target, data=body)
    signer(key, service, "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(
        prepared.url, data=prepared.body, method=method, headers=dict(prepared.headers.items())
    )
    context = ssl.create_default_context(cafile=ca) if ca else None
    try:
        with urllib.request.urlopen(sent, context=context) as response:
            return [response.status, json.loads(response.read())]
    except urllib.error.HTTPError as error:
        return [error.code, json.loads(error.read())]


iam = fetch(SigV4Auth, url + "a/b?x=1&y=a%20b&x=0", "POST", b'{"n":1}')
print(
    json.dumps(
        {
            "echo": json.loads(invoked["Payload"].read()),
            "log": bool(invoked["LogResult"]),
            "functions": [f["FunctionName"] for f in lambda_.list_functions()["Functions"]],
            "tags": lambda_.list_tags(Resource=arn)["Tags"],
            "identity": sts.get_caller_identity()["Arn"],
            "forged": code_of(forged.list_functions),
            "iam": [iam[0], iam[1].get("body"), iam[1].get("rawQueryString")],
            "presigned": fetch(SigV4QueryAuth, url + "signed")[0],
            "forged_query": fetch(SigV4QueryAuth, url + "signed", service="s3")[0],
        }
    )
)
