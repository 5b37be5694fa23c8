"""Check the wording of documents, docstrings, comments and messages: `python tools/check_prose.py [FILE ...]`.

Applies .vale/PlainEnglish/Wording.yml, a rule file in Vale's format. Vale's package on PyPI downloads its binary at the
first use; this check needs no network and no binary. Exit code 1 when something is found.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / ".vale" / "PlainEnglish" / "Wording.yml"
SUFFIXES = (".md", ".py", ".j2", ".in", ".yaml", ".yml")
# FSTRING_MIDDLE exists from Python 3.12 on, where an f-string is no longer one token.
CONFLICT = re.compile("^(<{7}|>{7}) ")
TEXT_TOKENS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def tracked_files() -> list[Path]:
    """Return the tracked files that hold prose."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        ROOT / name for name in listed.stdout.split("\0") if name.endswith(SUFFIXES) and not name.startswith(".vale")
    ]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that people read, with their numbers; of Python only strings and comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in TEXT_TOKENS:
            yield from enumerate(token.string.splitlines(), token.start[0])


def main(arguments: list[str]) -> int:
    """Print each finding as `file:line: wording -> suggestion` and return the exit code."""
    swap = yaml.safe_load(RULES.read_text(encoding="utf-8"))["swap"]
    rules = [(re.compile(pattern, re.IGNORECASE), suggestion) for pattern, suggestion in swap.items()]
    rules.append((CONFLICT, "the text of both sides"))
    findings = [
        f"{path.relative_to(ROOT)}:{number}: '{found.group()}' -> {suggestion}"
        for path in ([Path(name).resolve() for name in arguments] or tracked_files())
        if path.is_file()
        for number, line in prose(path)
        for pattern, suggestion in rules
        if (found := pattern.search(line))
    ]
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
