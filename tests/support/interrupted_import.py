"""A program that presses Ctrl-C while a package imports a module."""

INTERRUPTED_IMPORT = """
import os, runpy, signal, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["python -m {package}", *{arguments!r}]
runpy.run_module({package!r}, run_name="__main__", alter_sys=True)
"""
