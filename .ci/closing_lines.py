"""Print what pytest closed with in every tox environment, and last the sum of all of them.

Reads the file of `tox --result-json`.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

CLOSING = re.compile(
    r"^=* ?(\d+ (?:passed|failed|errors?|skipped)[^=]*? in [0-9.]+s[^=]*?) ?=*$", re.M
)
COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")


def main(path: str) -> None:
    """Print the lines."""
    counts: Counter[str] = Counter()
    for name, of in json.loads(Path(path).read_text(encoding="utf-8"))["testenvs"].items():
        for command in of.get("test", []):
            for line in CLOSING.findall(command["output"]):
                print(f"{name}: {line}")
                for number, what in COUNT.findall(line):
                    counts[what] += int(number)
    print(", ".join(f"{counts[what]} {what}" for what in ("passed", "failed", "skipped")))


if __name__ == "__main__":
    main(*sys.argv[1:])
