"""`python -m documentation`: write every generated page that is no longer current."""

import sys

from documentation.pages import write

if __name__ == "__main__":
    written = write()
    sys.stdout.write("".join(f"written: {path}\n" for path in written) or "every page is current\n")
