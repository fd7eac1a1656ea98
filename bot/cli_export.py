"""How do the data leave the bot from the terminal, as files that anybody can check?"""

import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from bot.errors import FollowupError

exports = typer.Typer()


class OutOrCheck(FollowupError):
    """Name either --out, to make an export, or --check, to read one again."""


class NoSuchForm(FollowupError):
    """There is no export of this format."""


@exports.command("export")
def export(
    out: Annotated[Path | None, typer.Option(help="A new folder, or a new file whose name ends in .zip.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv (listings), sdtm (data sets), or both.")] = "both",
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    language: Annotated[str, typer.Option(help="Of names and questions: en or zh.")] = "en",
    audit_trail: Annotated[bool, typer.Option(help="With the audit trail.")] = True,
    check: Annotated[Path | None, typer.Option(help="Read such a folder or file again; needs no database.")] = None,
) -> None:
    """Write listings and SDTM-shaped data sets with a manifest, or check that such files are as they were written.

    Names, phone numbers and what people wrote in their own words are not in it. The bot may run meanwhile. Exit
    status 2: files are not what their manifest says.

    Example: followup export --out export.zip --from 2026-11-01 --to 2026-11-30
    """
    # Read late: other commands need none of it.
    from bot.exports import files

    begun_at = time.monotonic()
    if (out is None) == (check is None):
        raise OutOrCheck
    if check is not None:
        found = files.check(check)
        typer.echo(f"{found.files} files, {found.rows} rows: as they were written at {found.created_at}.")
        typer.echo(f"SHA-256 of the manifest: {found.manifest_sha256}")
        return
    assert out is not None
    made = _made(out, form, first.date() if first else None, last.date() if last else None, language, audit_trail)
    typer.echo(f"{out}: {made[0]} files, {made[1]} rows, {time.monotonic() - begun_at:.1f} s. Gaps: {made[2]}")
    typer.echo(f"SHA-256 of the manifest: {made[3]}")


def _made(
    out: Path, form: str, first: date | None, last: date | None, language: str, audit_trail: bool
) -> tuple[int, int, int, str]:
    from bot import app as application
    from bot import logs
    from bot.domain.people import BOT
    from bot.exports import making
    from bot.exports.source import Period
    from bot.settings import load_settings, require
    from bot.usecases import export as exporting
    from bot.work import Work

    if form not in list(making.Form):
        raise NoSuchForm(f"there is no format {form!r}; choose one of {', '.join(making.Form)}")
    wanted = making.Wanted(making.Form(form), Period(first, last), language, audit_trail)
    settings = load_settings()
    logs.configure("WARNING")
    require(settings, "encryption_key")
    deps = application.make_deps(settings)
    try:
        with making.placed(out) as folder:
            now = deps.clock.now()
            made = deps.store.read_now(lambda session: making.write(session, deps, wanted, folder, now))

            def keep(session: Session) -> None:
                exporting.note(
                    Work(session, deps, BOT, "command:export", now),
                    made.manifest_sha256,
                    made.rows,
                    wanted.form.value,
                )

            # Noted before the files are in their place: a copy that nobody knows of is worse than a note too many.
            deps.store.write_now(keep)
    finally:
        deps.store.close()
    return made.files, made.rows, made.gaps, made.manifest_sha256
