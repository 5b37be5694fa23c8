"""Start the operator's command line: `python -m operations`."""

from operations.cli.app import app

if __name__ == "__main__":
    app(prog_name="python -m operations")
