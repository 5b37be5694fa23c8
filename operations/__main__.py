"""Start the operator's command line: `python -m operations`."""

from operations.support.interrupts import end_on_interrupt, raise_on_interrupt

if __name__ == "__main__":
    end_on_interrupt()

from operations.cli.app import app

if __name__ == "__main__":
    raise_on_interrupt()
    app(prog_name="python -m operations")
