"""
Runs a Python function: asks the Runtime API for invocations, calls the handler, sends back what it returns.
What handlers, logs and callers see follows AWS's runtime client for Python; tools that instrument that one
find the functions they replace under the same names in the main module.

    python3 bootstrap.py        with Lambda's variables set
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback

RUNTIME_PATH = "/2018-06-01/runtime"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
MAX_FAULT_HEADER_BYTES = 1024 * 1024
NO_BREAK_SPACE = "\u00a0"
UNHANDLED_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. "
    "The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. "
    "For functions using managed runtimes, runtime updates can be triggered by a function change, or can be "
    "applied automatically. "
    "To determine if the runtime has been updated, check the runtime version in the INIT_START log entry. "
    "If this error correlates with a change in the runtime version, you may be able to mitigate this error by "
    "temporarily rolling back to the previous runtime version. "
    "For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html"
)


class Fault(Exception):
    """A failure that the runtime itself reports; `kind` is its errorType."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


# -- the Runtime API


class LambdaRuntimeClient:
    """One connection that is kept open. Small on purpose: the standard HTTP client takes 30 ms to import."""

    def __init__(self, address):
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._socket = None
        self._rest = b""

    def wait_next_invocation(self):
        """Waits without a limit. Returns the headers, by lower-case name, and the event's bytes."""
        status, headers, body = self._request("GET", "/invocation/next")
        if status != 200:
            raise RuntimeError("next answered %d: %s" % (status, body.decode("utf-8", "replace")))
        return headers, body

    def post_invocation_result(self, invoke_id, result, content_type="application/json"):
        body = result if isinstance(result, bytes) else result.encode("utf-8")
        headers = {"Content-Type": content_type}
        status, _, answer = self._request("POST", "/invocation/%s/response" % invoke_id, body, headers)
        # What is too large has been answered with that; anything else is not to be survived.
        if status not in (202, 413):
            raise RuntimeError("response answered %d: %s" % (status, answer.decode("utf-8", "replace")))

    def post_invocation_error(self, invoke_id, error, xray_fault=""):
        fault = xray_fault.encode("utf-8")
        headers = {"Content-Type": "application/json"}
        if 0 < len(fault) < MAX_FAULT_HEADER_BYTES:
            headers["Lambda-Runtime-Function-XRay-Error-Cause"] = fault.decode("latin-1")
        self._request("POST", "/invocation/%s/error" % invoke_id, error.encode("utf-8"), headers)

    def post_init_error(self, error):
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Function-Error-Type": one_line(error["errorType"]),
        }
        self._request("POST", "/init/error", to_json(error).encode("utf-8"), headers)

    def _request(self, method, path, body=b"", headers=None):
        lines = ["%s %s%s HTTP/1.1" % (method, RUNTIME_PATH, path), "Host: %s:%d" % (self._host, self._port)]
        lines += ["%s: %s" % pair for pair in (headers or {}).items()]
        if method == "POST":
            lines.append("Content-Length: %d" % len(body))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(head + body)
        return self._response()

    def _response(self):
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            # Values are UTF-8 that a header can only carry as bytes.
            headers[name.lower()] = value.strip().encode("latin-1").decode("utf-8", "replace")
        length = int(headers.get("content-length", 0))
        parts = [self._rest]
        missing = length - len(self._rest)
        while missing > 0:
            part = self._socket.recv(min(missing, 1 << 20))
            if not part:
                sys.exit(1)
            parts.append(part)
            missing -= len(part)
        body = b"".join(parts)
        self._rest = body[length:]
        return int(status_line.split(" ")[1]), headers, body[:length]

    def _receive(self):
        part = self._socket.recv(1 << 16)
        # Without the platform there is nothing to live for.
        if not part:
            sys.exit(1)
        self._rest += part


def one_line(text):
    return "".join(character for character in text if 32 <= ord(character) < 127)


# -- JSON


class Encoder:
    """JSON as AWS's runtime makes it: decimals are numbers, named tuples objects, bytes text."""

    def __init__(self):
        # Newer runtimes leave characters as they are; older ones escape what is not ASCII.
        self._ascii = is_older()
        self._numbers = {}

    def encode(self, value):
        self._numbers = {}
        text = json.dumps(plain(value), ensure_ascii=self._ascii, default=self._default)
        for mark, number in self._numbers.items():
            text = text.replace('"%s"' % mark, number)
        return text

    def _default(self, value):
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            mark = "decimal-%s-%d" % (os.urandom(12).hex(), len(self._numbers))
            self._numbers[mark] = str(value)
            return mark
        if isinstance(value, bytes):
            return value.decode("utf-8")
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def plain(value):
    """`value` with named tuples as dictionaries; containers without any are left as they are."""
    if isinstance(value, dict):
        changed = {key: plain(member) for key, member in value.items()}
        return changed if any(changed[key] is not value[key] for key in value) else value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value)) else value
    return value


def is_older():
    """Whether the runtime is one of those before 3.12, which are of another system than the later ones."""
    minor = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
    return minor.isdigit() and int(minor) < 12


encoder = Encoder()


def to_json(value):
    return encoder.encode(value)


# -- the context object


class Fields:
    """An object with a fixed set of members, all of which are there."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return "%s([%s])" % (
            type(self).__name__,
            ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__),
        )


class CognitoIdentity(Fields):
    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]


class Client(Fields):
    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]


class ClientContext(Fields):
    __slots__ = ["custom", "env", "client"]


class LambdaContext:
    """What a handler gets as its second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        given = parsed(headers, "Client Context")
        self.client_context = None if given is None else ClientContext(given)
        if self.client_context is not None and self.client_context.client is not None:
            self.client_context.client = Client(self.client_context.client)
        identity = parsed(headers, "Cognito Identity") or {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        shown = (pair for pair in self.__dict__.items() if not pair[0].startswith("_"))
        return "LambdaContext([%s])" % ",".join("%s=%s" % pair for pair in shown)


def parsed(headers, name):
    text = headers.get("lambda-runtime-" + name.lower().replace(" ", "-"))
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        message = "Unable to parse %s JSON: %s" % (name, error)
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from None


# -- the log


class Unbuffered:
    """A stream whose every write is in the log at once: the process may end at any time."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, texts):
        self.stream.writelines(texts)
        self.stream.flush()


# Whose lines are written now; '' before the first invocation.
current = {"request_id": "", "tenant_id": None}


class LambdaLoggerFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = current["request_id"]
        record.tenant_id = current["tenant_id"]
        return True


class LambdaLoggerHandler(logging.Handler):
    def emit(self, record):
        sys.stdout.write(self.format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line; whatever `extra` adds is a member."""

    OWN = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "tenant_id", "message", "asctime"}

    def format(self, record):
        level = min(50, max(0, record.levelno)) // 10 * 10
        kind, error, trace = record.exc_info or (None, None, None)
        seconds = time.strftime(TIME_FORMAT, time.gmtime(record.created))
        members = {
            "timestamp": "%s.%03dZ" % (seconds, int(record.msecs)),
            "level": logging.getLevelName(level),
            "message": record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if trace else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.aws_request_id,
            "location": "%s:%s:%d" % (record.pathname, record.funcName, record.lineno) if kind else None,
            "tenantId": record.tenant_id,
        }
        for name, value in vars(record).items():
            if name not in self.OWN and name not in members:
                members[name] = value
        shown = {name: value for name, value in members.items() if value is not None}
        return json.dumps(shown, ensure_ascii=False) + "\n"


def set_up_logging():
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    if in_json():
        handler.setFormatter(JsonFormatter())
    else:
        layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(layout, TIME_FORMAT))
    handler.addFilter(LambdaLoggerFilter())
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"):
        root.setLevel(level)
    root.addHandler(handler)


def in_json():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def log_error(error):
    """Writes an error as one record: within it lines end with a carriage return."""
    if in_json():
        stamp = {"timestamp": time.strftime(TIME_FORMAT, time.gmtime()), "level": "ERROR"}
        sys.stdout.write(to_json({**stamp, **error}) + "\n")
        return
    kind, message = error["errorType"], error["errorMessage"]
    first = "[ERROR]"
    if kind:
        first += " " + kind
    if message:
        first += (":" if kind else "") + " " + message
    lines = [first, "Traceback (most recent call last):"]
    for element in error["stackTrace"]:
        for line in element.splitlines() or [""]:
            bare = line.lstrip(" ")
            lines.append(NO_BREAK_SPACE * (len(line) - len(bare)) + bare)
    sys.stdout.write("\r".join(lines) + "\n")


# -- failures


def make_error(message, kind, trace, invoke_id=None):
    """Lambda's error JSON, members in AWS's order."""
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": invoke_id or "",
        "stackTrace": trace or [],
    }


def frames_of(trace):
    """Frames of a traceback from the first one that is not of this file."""
    frames = list(traceback.extract_tb(trace))
    while len(frames) > 1 and frames[0].filename == __file__:
        del frames[0]
    return [(frame.filename, frame.lineno, frame.name, frame.line) for frame in frames]


def error_of(error, invoke_id=None):
    """The error JSON of anything that was raised, and what X-Ray is told of it."""
    if isinstance(error, Fault):
        fault = xray_fault("LambdaValidationError", error.message, [])
        return make_error(error.message, error.kind, error.trace, invoke_id), fault
    frames = frames_of(error.__traceback__)
    kind = type(error).__name__
    trace = traceback.format_list(frames)
    return make_error(str(error), kind, trace, invoke_id), xray_fault(kind, str(error), frames)


def xray_fault(kind, message, frames):
    stack = [{"label": name, "path": path, "line": line} for path, line, name, _ in frames]
    return {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": kind, "stack": stack}],
        "paths": list({path for path, _, _, _ in frames}),
    }


# -- the handler


def find_handler(name):
    """`package/module.function`: the last dot is the one that counts. Raises a Fault, or what the module did."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error)) from None
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        message = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message) from None


def unmarshal(body, content_type):
    if content_type != "application/json":
        return body
    try:
        return json.loads(body)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None


def marshal(result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return to_json(result), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None


def handle_event_request(lambda_runtime_client, request_handler, invoke_id, event_body, headers):
    """Runs one invocation and answers it. What is no Exception, such as SystemExit, ends the process."""
    try:
        context = LambdaContext(headers)
        event = unmarshal(event_body, headers.get("content-type", "application/json"))
        result, content_type = marshal(request_handler(event, context))
    except Exception as raised:
        error, fault = error_of(raised, invoke_id)
        log_error(error)
        lambda_runtime_client.post_invocation_error(invoke_id, to_json(error), json.dumps(fault))
    else:
        lambda_runtime_client.post_invocation_result(invoke_id, result, content_type)


def serve(client, handler, exports_trace):
    while True:
        headers, body = client.wait_next_invocation()
        current["request_id"] = invoke_id = headers["lambda-runtime-aws-request-id"]
        current["tenant_id"] = headers.get("lambda-runtime-aws-tenant-id")
        trace = headers.get("lambda-runtime-trace-id")
        if exports_trace and trace is not None:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        elif exports_trace:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        handle_event_request(client, handler, invoke_id, body, headers)


def serve_in_processes(address, handler, count):
    """Several at once: as many processes, each of which asks for work. The end of one is the end of all."""
    for _ in range(count):
        if os.fork() == 0:
            serve(LambdaRuntimeClient(address), handler, exports_trace=False)
    _, status = os.wait()
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def module_paths(task_root, asked):
    """Where modules are looked for: the code, its layers, the runtime, then what Python brings along."""
    own = "python%d.%d" % sys.version_info[:2]
    libraries = ["/opt/python/lib/%s/site-packages" % name for name in dict.fromkeys((asked, own)) if name]
    here = os.path.dirname(os.path.abspath(__file__))
    first = [task_root, *libraries, "/opt/python"]
    return first + [path for path in sys.path if path not in first and os.path.abspath(path) != here] + [here]


def set_up_locale():
    """Python sets the variable itself where a system lacks the locale, as that of the newer runtimes does."""
    if is_older() and os.environ.get("LC_CTYPE") == "C.UTF-8":
        del os.environ["LC_CTYPE"]
    elif not is_older():
        os.environ.setdefault("LC_CTYPE", "C.UTF-8")


def main():
    set_up_locale()
    asked = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("AWS_Lambda_")[2]
    sys.path[:] = module_paths(os.environ["LAMBDA_TASK_ROOT"], asked)
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    set_up_logging()
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    client = LambdaRuntimeClient(address)
    try:
        handler = find_handler(os.environ["_HANDLER"])
    except Exception as raised:
        error, _ = error_of(raised)
        logging.warning(UNHANDLED_WARNING)
        log_error(error)
        client.post_init_error(error)
        sys.exit(1)
    count = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
    if count > 1:
        serve_in_processes(address, handler, count)
    else:
        serve(client, handler, exports_trace=True)


if __name__ == "__main__":
    main()
