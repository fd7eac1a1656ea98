"""How long does `followup run` take until it works, and how much memory does it occupy?

The database holds 90 patients, the size of the trial. Time counts from the start of the process to its log
line "started", against the independent Bot API server on the same machine.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import botapi, bots, report

PATIENTS = 90
RUNS = 5
UPDATES = 200
SETTLES = 2.0  # seconds, in which every job has run once
LOOK_SECONDS = 0.005
SECONDS_TARGET, RSS_TARGET = 2.0, 150.0
SHOWN = 12
WORDS = ("昨晚睡得很好，早上吃了面条，第{0}条", "I slept well and had noodles, this is number {0}")
FOLLOWUP = Path(sys.executable).with_name("followup")
# A line of `python -X importtime`: own and cumulative microseconds, indented by depth.
IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")


@dataclass(frozen=True, slots=True)
class Figures:
    """One start: seconds until it works, processor seconds of that, and MB of memory."""

    seconds: float
    cpu_seconds: float
    rss: float
    rss_worked: float | None = None


def environment(server: botapi.BotApi, url: str) -> dict[str, str]:
    """Return the environment of an installed bot: default limits, and compiled modules are kept."""
    given = bots.environment(server, url, messages_per_second=30)
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    return given


def start(server: botapi.BotApi, url: str, folder: Path, patients: Sequence[bots.Patient] = ()) -> Figures:
    """Start the bot, measure, and let it work on words of these patients, if any."""
    began = time.monotonic()
    with bots.running("followup", [str(FOLLOWUP), "run"], folder, environment(server, url)) as bot:
        while not bot.logged("started"):
            if bot.process.poll() is not None or time.monotonic() - began > bots.PATIENCE:
                raise bots.NoStart(bot.log.read_text(errors="replace")[-3000:])
            time.sleep(LOOK_SECONDS)
        seconds, cpu = time.monotonic() - began, bot.cpu_seconds
        time.sleep(SETTLES)
        rss = bot.rss
        if not patients:
            return Figures(seconds, cpu, rss)
        work(server, patients)
        return Figures(seconds, cpu, rss, bot.rss)


def work(server: botapi.BotApi, patients: Sequence[bots.Patient]) -> None:
    """Hand over words of patients and wait until all are answered."""
    before = answered(server)
    server.push(
        [
            botapi.text_update(
                patient.chat, WORDS[(patient.chat - bots.FIRST_PATIENT) % 2].format(number), number + 1
            )
            for number, patient in ((n, patients[n % len(patients)]) for n in range(UPDATES))
        ]
    )
    bots.until(lambda: answered(server) >= before + UPDATES, f"{UPDATES} answers")


def answered(server: botapi.BotApi) -> int:
    return sum(each["chat_id"] >= bots.FIRST_PATIENT for each in server.truth())


# What the start is made of


def imports() -> tuple[float, list[tuple[str, float]]]:
    """Return the milliseconds of all imports of the command, and those of each package by itself."""
    words = [sys.executable, "-X", "importtime", "-c", "import bot.cli"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):  # the first one fills the caches
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=bots.ROOT, env=kept)
    packages: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        if found := IMPORT_LINE.match(line):
            packages[found[4].partition(".")[0]] += int(found[1])
    return packages.total() / 1000, [(name, own / 1000) for name, own in packages.most_common(SHOWN)]


# The report


def shown(found: Sequence[Figures]) -> str:
    def row(said: str, values: Sequence[float], form: str) -> list[object]:
        return [said, *(format(each, form) for each in (statistics.median(values), min(values), max(values)))]

    worked = [each.rss_worked for each in found if each.rss_worked is not None]
    rows = [
        row('seconds until "started"', [each.seconds for each in found], ".2f"),
        row("processor seconds of these", [each.cpu_seconds for each in found], ".2f"),
        row("MB of memory after the start", [each.rss for each in found], ".0f"),
        row(f"MB of memory after {UPDATES} updates", worked, ".0f"),
    ]
    return report.table(["", "median", "least", "most"], rows)


def shown_imports(total: float, packages: Sequence[tuple[str, float]]) -> str:
    rows = [[name, f"{own:.0f}"] for name, own in packages]
    return report.table(["package", "ms"], [*rows, ["all", f"{total:.0f}"]])


def broken(found: Sequence[Figures]) -> list[str]:
    """Return the promises of this page that do not hold."""
    said = []
    if (seconds := statistics.median(each.seconds for each in found)) >= SECONDS_TARGET:
        said.append(f"the start takes {seconds:.2f} s, not under {SECONDS_TARGET:.0f} s")
    if (rss := max(max(each.rss, each.rss_worked or 0.0) for each in found)) >= RSS_TARGET:
        said.append(f"{rss:.0f} MB of memory, not under {RSS_TARGET:.0f} MB")
    return said


NOTE = """Median of {runs} starts of the installed command on SQLite with {patients} patients, after one that fills
the caches. Memory is the resident set in MB (10^6 bytes); after {updates} patients' messages, each stored, judged,
made a case and answered. Imports: the time that the modules of a package take themselves, as `python -X importtime`
counts it, which itself makes them slower."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/start.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="followup-bench-") as name, botapi.served() as server:
        folder = Path(name)
        url = f"sqlite:///{folder / 'followup.sqlite3'}"
        patients = bots.populate(url, PATIENTS)
        start(server, url, folder)
        found = [start(server, url, folder) for _ in range(given.runs - 1)]
        found.append(start(server, url, folder, patients))
    said = broken(found)
    parts = [shown(found), "## Imports", shown_imports(*imports()), "## Promises not kept", report.promises(said)]
    body, title = "\n\n".join(parts), "How fast does it start, and how big is it?"
    note = NOTE.format(runs=given.runs, patients=PATIENTS, updates=UPDATES)
    return report.finish("start", title, "python -m bench.start", body, said, to_file=given.write, note=note)


if __name__ == "__main__":
    sys.exit(main())
