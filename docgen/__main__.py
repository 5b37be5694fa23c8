"""`python -m docgen`: write every outdated generated page."""

import sys

from docgen.pages import write

if __name__ == "__main__":
    written = write()
    sys.stdout.write("".join(f"written: {path}\n" for path in written) or "all pages are current\n")
