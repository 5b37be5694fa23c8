"""`python -m docgen`: write every generated page that is no longer current."""

import sys

from docgen.pages import write

if __name__ == "__main__":
    written = write()
    sys.stdout.write("".join(f"written: {path}\n" for path in written) or "every page is current\n")
