"""What the workers of test_rq.py run."""

import os


def note(line: str) -> str:
    """Appends a line to a file: how often it ran can be seen afterwards."""
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{line}\n")
    return line
