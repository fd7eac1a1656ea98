"""How does a terminal show that a simulation goes on?"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.simulation.plan import START, Plan, sites
from bot.simulation.report import Report
from bot.simulation.run import simulate


def shown(plan: Plan) -> Report:
    """Simulate with a bar of simulated days on standard error, so that standard output is the report alone."""
    days = (plan.ends_at - START).days
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = [progress.add_task(f"site {part.site + 1}, days", total=days) for part in sites(plan)]
        return simulate(plan, lambda site, day: progress.update(bars[site], completed=day))
