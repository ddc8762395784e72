"""The long form of fuzzing: `python tests/fuzz [SECONDS [TARGET...]]`, each target in a process of its own (atheris).

A crash leaves its input in the working directory as atheris names it, and ends the run with status 1.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ONE = "--one"
DEFAULT_SECONDS = 300


def run_one(name: str, options: list[str]) -> None:
    """Fuzz one target in this process; atheris ends it."""
    import atheris

    with atheris.instrument_imports(include=["worldmail"]):
        from targets import LONGEST, TARGETS
    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", "-timeout=5", *options], TARGETS[name])
    atheris.Fuzz()


def run_all(seconds: int, names: list[str]) -> int:
    """Fuzz each target for so many seconds; how many of them crashed."""
    from targets import TARGETS

    crashed = []
    for name in names or TARGETS:
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as corpus:
            for number, seed in enumerate(TARGETS[name].seeds):
                Path(corpus, str(number)).write_bytes(seed)
            command = [sys.executable, str(HERE), ONE, name, f"-max_total_time={seconds}", "-verbosity=0", corpus]
            if subprocess.run(command, check=False).returncode:
                crashed.append(name)
    print(f"crashed: {', '.join(crashed) or 'none'}")
    return len(crashed)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parents[1])]
    if sys.argv[1:2] == [ONE]:
        run_one(sys.argv[2], sys.argv[3:])
    else:
        chosen = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_SECONDS
        sys.exit(bool(run_all(chosen, sys.argv[2:])))
