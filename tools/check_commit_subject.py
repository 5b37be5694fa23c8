"""Check the subject of a commit message: `python tools/check_commit_subject.py MESSAGE_FILE`.

The subject has at most 72 characters, starts with a capital letter, ends without a period, and a blank line follows it.
"""

import sys
from pathlib import Path

MOST_CHARACTERS = 72
GENERATED = ("Merge ", "Revert ", "fixup! ", "squash! ")


def problems(message: str) -> list[str]:
    """Return what is wrong with a commit message, a sentence each; none for a subject that git generates."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(GENERATED):
        return []
    found = []
    if not subject.strip():
        found.append("The subject is empty. Say what the commit does, in the imperative.")
    if len(subject) > MOST_CHARACTERS:
        found.append(
            f"The subject has {len(subject)} characters. Use {MOST_CHARACTERS} or fewer; put the reason in the body."
        )
    if subject[:1].islower():
        found.append("The subject starts with a lower-case letter. Start with an imperative verb, such as Add or Fix.")
    if subject.endswith("."):
        found.append("The subject ends with a period. Leave it out.")
    if len(lines) > 1 and lines[1].strip():
        found.append("The second line is not blank. Put a blank line between the subject and the body.")
    return found


def main(arguments: list[str]) -> int:
    """Print the problems of the message file and return the exit code."""
    found = problems(Path(arguments[0]).read_text(encoding="utf-8"))
    sys.stderr.writelines(f"commit subject: {problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
