"""The network of a Lambda worker in the rehearsal, installed before the function is imported.

The module sets AWS_ENDPOINT_URL and replaces socket.getaddrinfo for the function's region. Outside a Lambda worker it has no effect:
the embedded AWS has this directory on its PYTHONPATH too, but only a worker has AWS_LAMBDA_FUNCTION_NAME.

The names file: {"<region>": {"<host name>": ["127.0.0.1", <port>]}, "vpc_functions": ["<function name>"]}.
Python loads only the first sitecustomize on its path, so this module also runs the one that it hides. This module imports only
the standard library, to keep cold starts short.
"""

import json
import os
import socket
import sys

NAMES_VARIABLE = "AURORA_REHEARSAL_NAMES"
RESOLVER_VARIABLE = "AURORA_REHEARSAL_RESOLVER"
ENDPOINTS_VARIABLE = "AURORA_REHEARSAL_ENDPOINTS"
RDS_SUFFIX = ".rds.amazonaws.com"


def run_hidden_sitecustomize():
    """Run the sitecustomize that this directory hides, if there is one."""
    import importlib.machinery

    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None and spec.origin != os.path.abspath(__file__):
        import importlib.util

        spec.loader.exec_module(importlib.util.module_from_spec(spec))


class HostNames:
    """The host names in the names file, read again after each change of the file."""

    def __init__(self, path, region, function_name):
        self._path = path
        self._region = region
        self._function_name = function_name
        self._version = None
        self._addresses = {}
        self._in_vpc = False

    def read(self):
        """Return this region's addresses by name, and whether the function is in the VPC."""
        # Each write replaces the file, so the inode changes even within one clock tick.
        stat = os.stat(self._path)
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if version != self._version:
            with open(self._path, encoding="utf-8") as file:
                content = json.load(file)
            self._addresses = content.get(self._region, {})
            self._in_vpc = self._function_name in content.get("vpc_functions", ())
            self._version = version
        return self._addresses, self._in_vpc


def resolve_private_name(name, region, resolver_port):
    """Return the endpoint of a name in the private zone from the rehearsal's resolver, or an empty string."""
    if not resolver_port:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", int(resolver_port)))
        sock.sendall(f"{region} {name}\n".encode())
        with sock.makefile("r", encoding="utf-8") as response:
            return response.readline().strip().lower()


def make_getaddrinfo(names, function_name, original, region="", resolver_port=""):
    """Return a getaddrinfo that resolves the published names. Other names use `original`, or fail inside the VPC."""

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        text = host.decode("ascii") if isinstance(host, bytes) else host
        name = text.lower().rstrip(".") if isinstance(text, str) else ""
        addresses, in_vpc = names.read()
        if name in addresses:
            target, target_port = addresses[name]
            return original(target, target_port, socket.AF_INET, type, proto, flags)
        if name.endswith(RDS_SUFFIX):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known: " + name)
        if in_vpc:
            endpoint = resolve_private_name(name, region, resolver_port)
            if endpoint in addresses:
                target, target_port = addresses[endpoint]
                return original(target, target_port, socket.AF_INET, type, proto, flags)
            # The VPC has no internet gateway, NAT gateway or VPC endpoint. On AWS the connection would time out.
            raise socket.gaierror(socket.EAI_NONAME, f"no route out of the VPC: {function_name} resolves {name}:{port}")
        return original(host, port, family, type, proto, flags)

    return getaddrinfo


def install(environment):
    """Set up the AWS endpoint and name resolution of the worker's region."""
    region = environment["AWS_REGION"]
    endpoints = json.loads(environment.get(ENDPOINTS_VARIABLE, "{}"))
    if region in endpoints:
        environment["AWS_ENDPOINT_URL"] = endpoints[region]
    function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
    names = HostNames(environment[NAMES_VARIABLE], region, function_name)
    port = environment.get(RESOLVER_VARIABLE, "")
    socket.getaddrinfo = make_getaddrinfo(names, function_name, socket.getaddrinfo, region, port)


run_hidden_sitecustomize()
if all(os.environ.get(name) for name in (NAMES_VARIABLE, "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION")):
    install(os.environ)
