"""How is a measurement written down, so that somebody else can repeat it and compare?"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"


def machine() -> str:
    """Return what the figures were measured on; no names of hosts or people."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores, {pages:.0f} GiB of memory, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def commit() -> str:
    """Return the commit that was measured, marked when files differ from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=EVIDENCE.parent,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def finish(
    name: str,
    title: str,
    command: str,
    body: str,
    broken: Sequence[object],
    *,
    to_file: bool,
    seed: int | None = None,
    note: str = "",
) -> int:
    """End a measurement: write its page of evidence or only show it; return the exit status, 1 for what is broken."""
    if to_file:
        write(name, title, command, body, seed=seed, note=note)
    else:
        sys.stdout.write(f"\n{body}\n")
    return 1 if broken else 0


def promises(broken: Sequence[str]) -> str:
    """Return the promises that were not kept, as a list."""
    return "\n".join(f"- {each}" for each in broken) or "None."


def show_broken(broken: Sequence[str], most: int = 40) -> None:
    for each in broken[:most]:
        sys.stdout.write(f"BROKEN: {each}\n")


def write(name: str, title: str, command: str, body: str, *, seed: int | None = None, note: str = "") -> Path:
    """Write one page of evidence and print it; return where it is."""
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    facts = [f"- Command: `{command}`", f"- Machine: {machine()}"]
    if seed is not None:
        facts.append(f"- Seed: {seed}")
    facts += [f"- Commit: {commit()}", f"- Day: {datetime.now(UTC).date().isoformat()}"]
    parts = [f"# {title}", "\n".join(facts), body]
    if note:
        parts.append(note)
    path = EVIDENCE / f"{name}.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    sys.stdout.write(f"\n{body}\n\nWritten to {path.relative_to(EVIDENCE.parents[1])}\n")
    return path
