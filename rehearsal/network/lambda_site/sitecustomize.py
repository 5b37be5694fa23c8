"""What a Lambda worker of the rehearsal imports before the function: the network of the function's region.

Owns: where the function finds AWS (AWS_ENDPOINT_URL) and which host names lead where (socket.getaddrinfo).
Does not own: the function's code, which is the deployed one, unchanged.
Invariant: outside a Lambda worker of the rehearsal this module does nothing. The emulator itself has this directory on its
PYTHONPATH too, but AWS_LAMBDA_FUNCTION_NAME stands in a worker's environment only.

The names file: {"<region>": {"<host name>": ["127.0.0.1", <port>]}, "vpc_functions": ["<function name>"]}.
Python loads one sitecustomize only, the first on its path: one that this hides (a distribution's, a virtual environment's) is
found and run first. Standard library only: every cold start pays for what is imported here.
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
    """Run the sitecustomize that Python would have loaded without this directory on the path, if there is one."""
    import importlib.machinery

    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None and spec.origin != os.path.abspath(__file__):
        import importlib.util

        spec.loader.exec_module(importlib.util.module_from_spec(spec))


class HostNames:
    """The names that are published, as the file says at this moment: it is read again when it was replaced."""

    def __init__(self, path, region, function_name):
        self._path = path
        self._region = region
        self._function_name = function_name
        self._version = None
        self._addresses = {}
        self._in_vpc = False

    def read(self):
        """Return the addresses by name for this region, and whether the function sits in the VPC."""
        # The file is replaced, never written in place, so the inode changes even within one tick of the clock.
        stat = os.stat(self._path)
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if version != self._version:
            with open(self._path, encoding="utf-8") as file:
                content = json.load(file)
            self._addresses = content.get(self._region, {})
            self._in_vpc = self._function_name in content.get("vpc_functions", ())
            self._version = version
        return self._addresses, self._in_vpc


def endpoint_behind(name, region, resolver_port):
    """Return the endpoint that a name of the private zone leads to, as the rehearsal's Route 53 answers; "" for none."""
    if not resolver_port:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", int(resolver_port)))
        sock.sendall(f"{region} {name}\n".encode())
        with sock.makefile("r", encoding="utf-8") as answer:
            return answer.readline().strip().lower()


def resolver(names, function_name, original, region="", resolver_port=""):
    """Return a getaddrinfo that knows the published names, and for the rest asks the original one or fails."""

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
            endpoint = endpoint_behind(name, region, resolver_port)
            if endpoint in addresses:
                target, target_port = addresses[endpoint]
                return original(target, target_port, socket.AF_INET, type, proto, flags)
            # The VPC has no way out: no internet gateway, no NAT, no endpoint. In AWS this would hang until a time limit.
            raise socket.gaierror(socket.EAI_NONAME, f"no way out of the VPC: {function_name} asked for {name}:{port}")
        return original(host, port, family, type, proto, flags)

    return getaddrinfo


def install(environment):
    """Set this process up as a Lambda worker in its region."""
    region = environment["AWS_REGION"]
    endpoints = json.loads(environment.get(ENDPOINTS_VARIABLE, "{}"))
    if region in endpoints:
        environment["AWS_ENDPOINT_URL"] = endpoints[region]
    function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
    names = HostNames(environment[NAMES_VARIABLE], region, function_name)
    port = environment.get(RESOLVER_VARIABLE, "")
    socket.getaddrinfo = resolver(names, function_name, socket.getaddrinfo, region, port)


run_hidden_sitecustomize()
if all(os.environ.get(name) for name in (NAMES_VARIABLE, "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION")):
    install(os.environ)
