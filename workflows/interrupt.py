"""Does any command lose or mix products when it is killed, stopped, or given twice?

    python workflows/interrupt.py --hours 8
    python workflows/interrupt.py --hours 1 --seed 7 --moments 20 change relabel

Each command is tried in turn on small inputs: killed before renames by which products
get their names, and at instants that the seed draws; stopped by Ctrl-C; and given again
while it delivers. Then the same command is given again, and its products must be those
of an undisturbed run. You learn how many products and renames each has; whatever is
wrong is printed, and is exit status 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import interrupted


def main() -> None:
    """Go on until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", type=int, default=5)
    parser.add_argument("command", nargs="*", default=[*interrupted.COMMANDS])
    chosen = parser.parse_args()
    end, seed, wrong = time.monotonic() + 3600 * chosen.hours, chosen.seed, 0
    while time.monotonic() < end:
        wrong += try_commands(chosen.command, chosen.moments, seed)
        seed += 1
    sys.exit(wrong > 0)


def try_commands(commands: list[str], moments: int, seed: int) -> int:
    """Try commands in a process; print what came, and count what is wrong."""
    script, wrong = [sys.executable, interrupted.__file__], 0
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--moments", str(moments), "--seed", str(seed)]
        with subprocess.Popen(  # noqa: S603  # this very Python
            [*script, str(Path(folder, "tried")), *flags, *commands],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stdout or ():
                found = json.loads(line)
                wrong += len(found["wrong"])
                print(
                    f"seed {seed}, {found['command']}: {len(found['made'])} products, "
                    f"{found['moments']} renames, {len(found['wrong'])} wrong",
                    *found["wrong"],
                    sep="\n    ",
                    flush=True,
                )
    return wrong + (process.returncode != 0)


if __name__ == "__main__":
    main()
