"""What can be done from the terminal?"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from bot import app as application
from bot import logs
from bot.cipher import Cipher
from bot.cli_data import data
from bot.cli_drill import drill
from bot.cli_export import exports
from bot.cli_kpi import figures
from bot.cli_rota import rota
from bot.cli_study import study
from bot.cli_words import words
from bot.cli_work import FileUnreadable, in_database
from bot.delivery import second_channel as sending
from bot.delivery.channel import Sent
from bot.domain.roles import STAFF, Role
from bot.errors import FollowupError
from bot.protocol.clinic import load_clinic
from bot.protocol.load import ProtocolFaulty
from bot.protocol.site_items import with_site_items
from bot.settings import PREFIX, Settings, load_settings
from bot.store.models import Subject
from bot.texts import bundled_texts
from bot.usecases import import_subjects as importing
from bot.usecases import invite
from bot.work import Work

R = TypeVar("R")

cli = typer.Typer(
    name="followup",
    help="Patient follow-up bot for a clinical trial: reminders, symptom reports, escalation, adherence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
staff = typer.Typer(help="Invite staff.", no_args_is_help=True)
second = typer.Typer(help="Try the ways by which pages leave beside Telegram.", no_args_is_help=True)
cli.add_typer(staff, name="staff")
cli.add_typer(rota, name="rota")
cli.add_typer(second, name="second-channel")
cli.add_typer(drill, name="drill")
cli.add_typer(data)
cli.add_typer(study)
cli.add_typer(figures)
cli.add_typer(exports)
cli.add_typer(words)


def main() -> None:
    """Run a command; what the user can mend is one clear line, never a traceback."""
    try:
        cli()
    except ProtocolFaulty as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        _fail(f"The protocol files have {len(error.problems)} problem(s); the bot stays down until they are mended.")
    except FollowupError as error:
        _fail(logs.redact(str(error)) or type(error).__doc__ or type(error).__name__)


def _fail(said: str) -> NoReturn:
    typer.echo(f"followup: {said}", err=True)
    sys.exit(2)


@cli.command()
def run() -> None:
    """Run the bot until it is told to stop (SIGTERM or Ctrl-C).

    Example: followup run
    """
    settings = load_settings()
    logs.configure(settings.log_level)
    asyncio.run(application.serve(settings))


@cli.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with protocol files; the bundled trial if empty.")
    ] = None,
) -> None:
    """Check the protocol files and the site's clinic calendar, and list every problem with file and id.

    Example: followup check bot/protocol/nct06964971
    """
    settings = load_settings(**({"protocol": folder} if folder else {}))
    protocol, _ = with_site_items(application.checked_protocol(settings, bundled_texts()), settings.checkin_items)
    load_clinic(settings.clinic_calendar)
    typer.echo(
        f"{protocol.id} {protocol.version}: no problems "
        f"({len(protocol.triage_rules)} triage rules, {len(protocol.lexicon.concepts)} free-text concepts)."
    )


@cli.command("new-key")
def new_key() -> None:
    """Print a new key for FOLLOWUP_ENCRYPTION_KEY.

    Example: echo "FOLLOWUP_ENCRYPTION_KEY=$(followup new-key)" >> .env
    """
    typer.echo(Cipher.new_key())


@staff.command("invite")
def staff_invite(
    role: Annotated[str, typer.Option(help="One of: " + ", ".join(STAFF) + ".")],
) -> None:
    """Print a single-use link, and its QR code, that gives whoever opens it a staff role.

    Example: followup staff invite --role coordinator
    """
    from bot.pictures.qr import qr_terminal

    if role not in STAFF:
        raise RoleUnknown(f"there is no staff role {role!r}; choose one of {', '.join(STAFF)}")
    link = in_database(
        lambda work: invite.invite(work, invite.STAFF, role=Role(role)), "staff invite", makes_links=True
    )
    typer.echo(qr_terminal(link))
    typer.echo(link)


@second.command("test")
def second_channel_test(
    to: Annotated[str | None, typer.Option(help="Address for a test e-mail; no e-mail when left out.")] = None,
    locale: Annotated[str, typer.Option(help="Language of the test: en or zh.")] = "en",
) -> None:
    """Send one marked test e-mail and one test call of the webhook, and say what came back.

    Needs neither the database nor Telegram. Exit status 1: something did not work.

    Example: followup second-channel test --to me@example.org
    """
    settings = load_settings()
    logs.configure("ERROR")
    outcomes = asyncio.run(sending.try_out(settings, to, locale))
    for channel, outcome in outcomes.items():
        reason = getattr(outcome, "reason", "")
        typer.echo(f"{channel}: {type(outcome).__name__.lower()}{f' ({reason})' if reason else ''}")
    sys.exit(0 if all(isinstance(outcome, Sent) for outcome in outcomes.values()) else 1)


class RoleUnknown(FollowupError):
    """There is no such staff role."""


@cli.command("import")
def import_subjects(
    table: Annotated[Path, typer.Argument(help="CSV file; its first row names the columns.")],
    invitations: Annotated[
        Path | None, typer.Option(help="Write the single-use links of each subject to this new CSV file.")
    ] = None,
    locale: Annotated[str, typer.Option(help="Language of the messages: en or zh.")] = "en",
) -> None:
    """Enrol many subjects from a CSV file: all rows or none.

    Every faulty row is named. Columns: code, arm, locale, birth_year, weight_kg, first_injection_on,
    cbc_interval_days, injection_interval_days, formulation, strength_mg, tablets, phone.

    Example: followup import subjects.csv --invitations links.csv
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"{table} cannot be read as UTF-8 text: {error}") from error

    def work_on(work: Work) -> list[list[str]]:
        try:
            subjects = importing.import_subjects(work, text)
        except importing.ImportFaulty as faulty:
            for line in faulty.lines(work, locale):
                typer.echo(line, err=True)
            raise importing.ImportFaulty([]) from None
        return [[subject.code, *links(work, subject)] for subject in subjects]

    def links(work: Work, subject: Subject) -> list[str]:
        if invitations is None:
            return []
        return [invite.invite(work, each, subject=subject) for each in (invite.PATIENT, invite.CAREGIVER)]

    if invitations is not None:
        # Made before anybody is enrolled: a link that cannot be written down is lost.
        try:
            invitations.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise FileUnreadable(f"{invitations} is there already; name a new file") from None
        except OSError as error:
            raise FileUnreadable(f"{invitations} cannot be written: {error.strerror}") from None
    try:
        enrolled = in_database(work_on, "import", makes_links=True)
    except BaseException as error:
        if invitations is not None:
            invitations.unlink()
        if isinstance(error, importing.ImportFaulty):
            _fail("nothing was imported; mend the rows named above and import the file again")
        raise
    if invitations is not None:
        lines = ["code,patient_link,caregiver_link", *(",".join(row) for row in enrolled)]
        invitations.write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo(f"{len(enrolled)} subject(s) enrolled.")


@cli.command()
def messages(
    only_check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when something is missing.")
    ] = False,
) -> None:
    """Collect the text keys and bring the files in locales/ up to date.

    Example: followup messages --check
    """
    from bot import messages as catalogues

    folder = Path(__file__).parents[1] / "locales"
    if not only_check:
        catalogues.update(folder)
    problems = catalogues.problems(folder)
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        _fail(f"{len(problems)} problem(s) in the texts")
    typer.echo("The texts are complete in every language.")


@cli.command("settings")
def show_settings() -> None:
    """Print every setting with its default and purpose.

    Example: followup settings
    """
    typer.echo(settings_table())


def settings_table() -> str:
    """Return the table of settings as docs/settings.md shows it."""
    lines = ["| variable | default | what it is for |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default: Any = "" if field.default is None or field.default == "" else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines)


@cli.command()
def story(
    folder: Annotated[Path, typer.Option(help="Where pictures and chats are kept; emptied first.")] = Path(".demo"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the progress only, not the chats.")] = False,
) -> None:
    """Play five weeks of the trial in the terminal.

    Telegram is simulated, everything else is real: no token, no network.

    Example: followup story
    """
    from bot.story import five_weeks

    logs.configure("ERROR")

    observed = asyncio.run(five_weeks.play(folder, quiet=quiet))
    sys.exit(0 if observed else 1)


@cli.command()
def simulate(
    subjects: Annotated[int, typer.Option(help="How many subjects.", min=1, max=999)] = 90,
    months: Annotated[float, typer.Option(help="For how many months.", min=0.1, max=60)] = 25,
    seed: Annotated[int, typer.Option(help="Everything is drawn from it: the same seed gives the same report.")] = 7,
    faults: Annotated[
        bool, typer.Option("--faults", help="Let sends fail, the bot break down, the machine's clock jump.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Play months of the trial in simulated time and check what arrives on the phones.

    Telegram, the people and time are simulated, everything else is real: no token, no network.
    Exit status 1: something happened that must not happen; the first cases are named.

    Example: followup simulate --subjects 90 --months 25 --seed 7 --faults
    """
    from bot.simulation import terminal
    from bot.simulation.plan import Plan

    logs.configure("CRITICAL")
    report = terminal.shown(Plan(subjects, months, seed, faults))
    typer.echo(report.as_json() if as_json else report.as_text())
    sys.exit(0 if report.good else 1)
