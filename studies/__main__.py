"""`ratewitness` and `python -m ratewitness.studies`: the command line. An interrupt is one line, imports included."""

from __future__ import annotations

import sys
from pathlib import Path

INTERRUPTED = 130
GO_ON = "interrupted; the same command goes on where this one stopped"


def main(arguments: list[str] | None = None) -> None:
    try:
        from ratewitness.studies.running.commands import run_command

        status = run_command(sys.argv[1:] if arguments is None else arguments)
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "pandas", "joblib", "rich", "filelock", "threadpoolctl", "jinja2"):
            raise
        print(f"error: the command line needs {error.name}: pip install 'ratewitness[studies]'", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        print(f"\n{GO_ON}", file=sys.stderr)
    sys.exit(status)


def script(file: str) -> None:
    """Run the study in `file` as if by `ratewitness run NAME`, with the options given to the script."""
    main(["run", Path(file).stem, *sys.argv[1:]])


if __name__ == "__main__":
    main()
