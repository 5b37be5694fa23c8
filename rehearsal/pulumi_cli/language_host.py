"""A Python language host for a Pulumi CLI that has no language host: it runs the program, and starts the policy pack.

The official CLI brings its own. One that was built from its Go module does not.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from rehearsal.provider.service import new_server, serve


class LanguageHost(LanguageServer):
    """Runs `__main__.py` of a program in this process, and plugins in processes of their own."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self._plugins: set[subprocess.Popen[bytes]] = set()

    def Handshake(self, request: Any, context: Any) -> Any:
        """Ignore the directories: each request names the program's directory."""
        del request, context
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Run the program. `LanguageServer.Run` has logged its error, so the response only says whether it failed."""
        directory = request.info.program_directory
        os.chdir(directory)
        sys.path.insert(0, directory)
        main = str(Path(directory, request.info.entry_point if request.info.entry_point != "." else "", "__main__.py"))

        def program() -> None:
            runpy.run_path(main, run_name="__main__")

        self.program = program
        return language_pb2.RunResponse(bail=bool(super().Run(request, context).error))

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        """Return none: the virtual environment is the project's own."""
        del request, context
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """Install nothing: `make setup` does."""
        del request, context
        yield language_pb2.InstallDependenciesResponse(stdout=b"Run `make setup` to install the dependencies.\n")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Run a policy pack, and pass on its output until it ends."""
        program = str(Path(request.info.program_directory, "__main__.py"))
        # -u: a policy pack writes its port without flushing it.
        process = subprocess.Popen(
            [sys.executable, "-u", program, *request.args],
            cwd=request.pwd,
            env={**os.environ, **dict(each.split("=", 1) for each in request.env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._plugins.add(process)
        if not context.add_callback(process.kill):
            process.kill()  # The call has ended already.
        yield from _output(process)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())
        self._plugins.discard(process)

    def kill_plugins(self) -> None:
        """Kill the running plugins: a killed engine cancels no call."""
        for process in tuple(self._plugins):
            process.kill()

    def Cancel(self, request: Any, context: Any) -> Any:
        """Do nothing: the engine ends this process."""
        del request, context
        return empty_pb2.Empty()


def _output(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Yield what a process writes, until both streams are closed."""
    chunks: SimpleQueue[Any] = SimpleQueue()

    def read(name: str, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            fields: dict[str, Any] = {name: chunk}
            chunks.put(language_pb2.RunPluginResponse(**fields))
        chunks.put(None)

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for name, stream in streams.items():
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    for _ in streams:
        yield from iter(chunks.get, None)


def main() -> None:
    """Run the language host for the engine that starts this process."""
    server, port = new_server()
    host = LanguageHost()
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    serve(server, port, on_end=host.kill_plugins)


if __name__ == "__main__":
    main()
