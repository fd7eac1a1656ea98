"""Do e-mail, webhook and heartbeat say no more than they may, and is what came of a call judged rightly?"""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session
from structlog.testing import capture_logs

from bot import app
from bot.clock import SetClock
from bot.delivery import heartbeat
from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Unsure
from bot.delivery.email import Mailer
from bot.delivery.page_webhook import PageWebhook, body_of
from bot.delivery.web import Check
from bot.deps import Deps
from bot.domain.escalation import CaseState
from bot.domain.people import BOT
from bot.settings import Settings, SettingsFaulty, load_settings
from bot.store.models import Account, Escalation, Heartbeat, SecondSend, StaffMember, Subject
from bot.story.stage import Stage
from bot.usecases import second_channel
from bot.usecases.second_channel import Letter
from bot.work import Work
from tests.conftest import START, make_settings
from tests.outside import Listener, PostOffice, listener, post_office, words

SECRET = "a-secret-of-the-site-and-its-gateway"


def letter(**given: Any) -> Letter:
    known: dict[str, Any] = {
        "id": "email:1:1:1",
        "kind": "page",
        "channel": "email",
        "address": "doctor@hospital.example",
        "locale": "zh",
        "subject": "红色：病例 1",
        "body": "请打开 Telegram\n",
        "phone": "0571",
        "at": START,
    }
    return Letter(**{**known, **given})


# E-mail


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as made:
        yield made


async def test_an_email_arrives_as_it_was_written(office: PostOffice) -> None:
    assert isinstance(await Mailer(make_settings(**office.settings)).deliver(letter()), Sent)
    (got,) = office.letters
    assert (got["From"], got["To"]) == ("followup@hospital.example", "doctor@hospital.example")
    assert (got["Subject"], words(got)) == ("红色：病例 1", "请打开 Telegram\n")
    assert got["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("stage", "answer", "expected"),
    [
        ("RCPT", "550 no such user", Refused),
        ("RCPT", "450 greylisted", NotSent),
        ("DATA", "554 refused", Refused),
        ("DATA", "451 later", NotSent),
    ],
)
async def test_what_the_mail_server_answers_is_judged(
    office: PostOffice, stage: str, answer: str, expected: type[Outcome]
) -> None:
    office.answers[stage] = [answer]
    outcome = await Mailer(make_settings(**office.settings)).deliver(letter())
    assert isinstance(outcome, expected)
    assert "hospital" not in repr(outcome)
    assert office.letters == []


async def test_a_connection_that_breaks_after_the_message_leaves_its_fate_unknown(office: PostOffice) -> None:
    office.cut = 1
    assert isinstance(await Mailer(make_settings(**office.settings)).deliver(letter()), Unsure)


async def test_a_mail_server_that_is_not_there_took_nothing(office: PostOffice) -> None:
    await office.close()
    assert isinstance(await Mailer(make_settings(**office.settings)).deliver(letter()), NotSent)


def certificate(folder: Path) -> ssl.SSLContext:
    """Return what a server needs that no authority vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path, pem = folder / "mail.pem", serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    kept = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem)
    path.write_bytes(kept)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("vouched", [True, False])
async def test_starttls_logs_in_only_where_the_certificate_can_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vouched: bool
) -> None:
    tls = certificate(tmp_path)
    if vouched:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mail.pem"))
    async with post_office(tls=tls, user=("bot", "word")) as office:
        given = {**office.settings, "smtp_tls": "starttls", "smtp_user": "bot", "smtp_password": "word"}
        outcome = await Mailer(make_settings(**given)).deliver(letter())
        assert isinstance(outcome, Sent if vouched else NotSent)
        assert len(office.letters) == vouched
        wrong = await Mailer(make_settings(**{**given, "smtp_password": "other"})).deliver(letter())
        assert isinstance(wrong, NotSent)


async def test_a_server_without_starttls_gets_no_password(office: PostOffice) -> None:
    given = {**office.settings, "smtp_tls": "starttls", "smtp_user": "bot", "smtp_password": "word"}
    assert isinstance(await Mailer(make_settings(**given)).deliver(letter()), NotSent)


# The webhook


@pytest.fixture
async def gateway() -> AsyncIterator[Listener]:
    async with listener() as made:
        yield made


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, Sent), (204, Sent), (302, Refused), (400, Refused), (404, Refused), (429, NotSent), (503, NotSent)],
)
async def test_what_the_gateway_answers_is_judged(gateway: Listener, status: int, expected: type[Outcome]) -> None:
    gateway.answers = [status]
    webhook = PageWebhook(make_settings(page_webhook_url=gateway.url, page_webhook_secret=SECRET))
    assert isinstance(await webhook.deliver(letter(channel="webhook")), expected)
    assert len(gateway.calls) == 1


async def test_a_gateway_that_is_not_there_took_nothing_and_is_not_named() -> None:
    webhook = PageWebhook(make_settings(page_webhook_url="http://127.0.0.1:9/key-123", page_webhook_secret=SECRET))
    outcome = await webhook.deliver(letter(channel="webhook"))
    assert isinstance(outcome, NotSent)
    assert "key-123" not in repr(outcome)


# What is said


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deps]:
    """Give a bot without Telegram."""
    folder = tmp_path_factory.mktemp("words")
    deps = app.make_deps(make_settings(database_url=f"sqlite:///{folder / 'words.sqlite3'}"), SetClock(START))
    yield deps
    deps.store.close()


def said(deps: Deps, locale: str, urgency: str, minutes: int, **health: str) -> tuple[str, str, bytes]:
    """Return what leaves for a case with these health data: subject, body, call."""

    def write(session: Session) -> tuple[str, str, bytes]:
        work = Work(session, deps, BOT, "test", START)
        session.add(Account(id=1, telegram_id=5, locale=locale, first_seen_at=START))
        session.flush()
        session.add(StaffMember(id=1, account_id=1, role="pi", name=health["staff"], granted_at=START))
        session.add(
            Subject(
                id=1,
                code=health["code"],
                site="HZ01",
                arm=health["arm"],
                locale="zh",
                birth_year=1952,
                state="active",
                timezone="Asia/Shanghai",
                cbc_interval_days=7,
                phone=health["phone"],
                enrolled_at=START,
                enrolled_by="test",
                state_changed_at=START,
            )
        )
        session.flush()
        case = Escalation(
            id=7,
            subject_id=1,
            kind="symptom",
            urgency=urgency,
            state=CaseState.NOTIFIED,
            chain={},
            because=[health["because"]],
            summary=json.dumps([{"source": health["source"], "lines": [health["words"]]}]),
            raised_by=health["by"],
            opened_at=START - timedelta(minutes=minutes),
            chain_started_at=START,
            pages=3,
        )
        session.add(case)
        session.flush()
        send = SecondSend(
            key="email:7:3:1",
            purpose="page",
            channel="email",
            staff_id=1,
            escalation_id=7,
            page=3,
            why="not delivered",
            created_at=START,
            due_at=START,
        )
        made = second_channel._letter(work, send, session.get_one(StaffMember, 1))
        session.rollback()
        return made.subject, made.body, body_of(made)

    return deps.store.write_now(write)


NOBODY = dict.fromkeys(("staff", "code", "arm", "phone", "because", "source", "words", "by"), "-")


@settings(max_examples=40)
@given(
    health=st.fixed_dictionaries({name: st.text(min_size=1, max_size=40) for name in NOBODY}),
    urgency=st.sampled_from(["red_120", "red_come", "amber"]),
    minutes=st.integers(0, 10_000),
    locale=st.sampled_from(["zh", "en"]),
)
def test_nothing_of_a_patient_changes_a_single_letter_of_what_leaves(
    parts: Deps, health: dict[str, str], urgency: str, minutes: int, locale: str
) -> None:
    health = {name: value.encode(errors="ignore").decode().replace("\0", "") for name, value in health.items()}
    assert said(parts, locale, urgency, minutes, **health) == said(parts, locale, urgency, minutes, **NOBODY)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_words_say_how_urgent_and_no_more(parts: Deps, locale: str) -> None:
    for urgency in ("red_120", "red_come"):
        subject, body, _ = said(parts, locale, urgency, 5, **NOBODY)
        assert "120" not in subject + body  # what the patient was told is health data too
        assert "Telegram" in subject
        assert len(subject) <= 60


# The heartbeat


@pytest.mark.parametrize(
    ("style", "ok", "called"),
    [
        ("plain", True, "https://m.example/ping/1?x=2"),
        ("plain", False, None),
        ("healthchecks", True, "https://m.example/ping/1?x=2"),
        ("healthchecks", False, "https://m.example/ping/1/fail?x=2"),
        ("uptime_kuma", True, "https://m.example/ping/1?x=2&status=up&msg=OK"),
        ("uptime_kuma", False, "https://m.example/ping/1?x=2&status=down&msg=not+healthy"),
    ],
)
def test_each_kind_of_monitor_is_called_as_it_expects(style: str, ok: bool, called: str | None) -> None:
    assert heartbeat.address_of("https://m.example/ping/1?x=2", style, ok=ok) == called


def test_what_the_address_of_kuma_brings_along_is_replaced() -> None:
    given = "https://m.example/api/push/key?status=up&msg=OK&ping="
    assert heartbeat.address_of(given, "uptime_kuma", ok=False) == (
        "https://m.example/api/push/key?status=down&msg=not+healthy"
    )


async def test_the_monitor_is_called_while_the_bot_is_well_and_hears_when_it_is_not(
    stage: Stage, gateway: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"ok": True}

    async def look(_check: Check) -> dict[str, Any]:
        return found

    monkeypatch.setattr(Check, "found", look)
    given = make_settings(heartbeat_url=gateway.url, heartbeat_style="healthchecks")
    deps = replace(stage.deps, settings=given)

    async def minutes(number: int) -> list[str]:
        gateway.calls.clear()
        for _ in range(number * 12):
            stage.clock.advance(seconds=5)
            await heartbeat.tell(deps)
        return [path for path, _, _ in gateway.calls]

    await heartbeat.tell(deps)
    assert gateway.calls == []  # it has only just begun
    assert await minutes(3) == ["/hook"] * 3
    found["ok"] = False
    assert await minutes(2) == ["/hook/fail"] * 2
    found["ok"] = True
    gateway.answers = [500] * 3
    with capture_logs() as logged:
        assert await minutes(4) == ["/hook"] * 4
    assert [line["event"] for line in logged] == ["heartbeat.failed", "heartbeat.works"]
    assert "/hook" not in json.dumps(logged)


async def test_without_the_watchdog_the_monitor_hears_nothing_good(stage: Stage, gateway: Listener) -> None:
    deps = replace(stage.deps, settings=make_settings(heartbeat_url=gateway.url, heartbeat_style="healthchecks"))
    await heartbeat.tell(deps)
    stage.clock.advance(minutes=6)
    await stage.deps.store.write(
        lambda session: session.merge(Heartbeat(name="watchdog", at=stage.clock.now() - timedelta(minutes=6)))
    )
    await heartbeat.tell(deps)
    assert [path for path, _, _ in gateway.calls] == ["/hook/fail"]


# Settings


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"smtp_host": "mail.example.org"}, "FOLLOWUP_SMTP_FROM"),
        ({"smtp_host": "mail.example.org", "smtp_from": "me"}, "FOLLOWUP_SMTP_FROM"),
        ({"smtp_host": "mail.example.org", "smtp_from": "a@b.org", "smtp_tls": "none"}, "FOLLOWUP_SMTP_TLS"),
        ({"smtp_user": "bot"}, "FOLLOWUP_SMTP_PASSWORD"),
        (
            {"page_webhook_url": "http://gateway.example.org", "page_webhook_secret": SECRET},
            "FOLLOWUP_PAGE_WEBHOOK_URL",
        ),
        ({"page_webhook_url": "https://gateway.example.org"}, "FOLLOWUP_PAGE_WEBHOOK_SECRET"),
        ({"page_webhook_secret": "short"}, "FOLLOWUP_PAGE_WEBHOOK_SECRET"),
        ({"heartbeat_url": "http://monitor.example.org"}, "FOLLOWUP_HEARTBEAT_URL"),
        ({"heartbeat_url": "monitor"}, "FOLLOWUP_HEARTBEAT_URL"),
        ({"heartbeat_seconds": 1}, "FOLLOWUP_HEARTBEAT_SECONDS"),
        ({"second_channel": "never"}, "FOLLOWUP_SECOND_CHANNEL"),
        (
            {"clock_speed": 60, "telegram_base_url": "http://127.0.0.1:1/bot", "heartbeat_url": "https://m.example"},
            "FOLLOWUP_HEARTBEAT_URL",
        ),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_shown(given: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsFaulty) as refused:
        load_settings(**given)
    assert named in str(refused.value)
    assert SECRET not in str(refused.value)


def test_secrets_do_not_show_in_the_settings() -> None:
    given = Settings(_env_file=None, page_webhook_url="https://g.example/k-1", heartbeat_url="https://m.example/k-2",
                     page_webhook_secret=SECRET, smtp_password="word-3")  # fmt: skip
    assert not any(secret in repr(given) for secret in ("k-1", "k-2", SECRET, "word-3"))
