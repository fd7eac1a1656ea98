"""How does the story look in the terminal: each phone's chat as it happens?"""

from datetime import date
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from bot.clock import Clock
from bot.simulator.parts import Change, ShownMessage
from bot.simulator.phones import Phone
from bot.texts import Texts

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta")
INDENT = " " * 8


class Printer:
    """Prints messages, days and what was observed."""

    def __init__(self, clock: Clock, texts: Texts, zone: ZoneInfo, *, quiet: bool) -> None:
        self._console = Console(highlight=False)
        self._clock = clock
        self._texts = texts
        self._zone = zone
        self._quiet = quiet
        self._colours: dict[int, str] = {}
        self._first: date | None = None
        self._last: date | None = None
        self.missed: list[str] = []

    def on_message(self, phone: Phone, message: ShownMessage, change: Change) -> None:
        """Print one message as its owner sees it; an edit is shown as what it became."""
        if self._quiet:
            return
        self._day()
        colour = self._colours.setdefault(phone.user_id, COLOURS[len(self._colours) % len(COLOURS)])
        at = self._clock.now().astimezone(self._zone).strftime("%H:%M")
        arrow = {Change.RECEIVED: "<", Change.SENT: ">", Change.EDITED: "~", Change.DELETED: "x"}[change]
        line = Text(f"{at}  ", style="dim")
        line.append(f"{phone.first_name} {arrow} ", style=f"bold {colour}")
        body = message.text if message.kind == "text" else f"[{message.kind}] {message.text}"
        if change is Change.EDITED:
            body = body.splitlines()[-1]
        first, *rest = body.splitlines() or [""]
        line.append(first)
        self._console.print(line)
        for each in rest:
            self._console.print(Text(INDENT + each))
        for row in message.keyboard if change is not Change.SENT else ():
            labels = "  ".join(f"[ {button.text} ]" for button in row)
            self._console.print(Text(INDENT + labels, style=colour))

    def scene(self, title: str) -> None:
        """Announce what comes."""
        self._day()
        self._console.print(Text(f"\n== {title}", style="bold"))

    def observed(self, what: str, seen: bool) -> None:
        """Print whether something that has to happen was seen."""
        mark, style = ("ok", "bold green") if seen else ("MISSING", "bold red")
        self._console.print(Text(f"   [{mark}] {what}", style=style))
        if not seen:
            self.missed.append(what)

    def says(self, line: str) -> None:
        self._console.print(Text(line))

    def _day(self) -> None:
        today = self._clock.now().astimezone(self._zone).date()
        if today == self._last:
            return
        self._first = self._first or today
        self._last = today
        number = (today - self._first).days
        bar = "#" * (number // 7) + "." * (5 - number // 7)
        self._console.print(
            Text(
                f"\n-- day {number:2d} of 35  [{bar}]  {self._texts.full_day(today, 'en')} ".ljust(78, "-"),
                style="dim",
            )
        )
