"""How is this bot set up? The environment (FOLLOWUP_*) or `.env`, as typed settings."""

import ipaddress
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.cipher import Cipher
from bot.clock import Clock, FastClock, SystemClock
from bot.domain.parsing import email_address
from bot.domain.second_channel import EMAIL, WEBHOOK
from bot.errors import FollowupError

TELEGRAM = "https://api.telegram.org/bot"
TELEGRAM_FILES = "https://api.telegram.org/file/bot"
PREFIX = "FOLLOWUP_"
LEAST_SECRET = 32
# For a bot that plays with simulated people: whatever the environment names, nobody outside is reached.
NOBODY_OUTSIDE: dict[str, Any] = {"smtp_host": None, "page_webhook_url": None, "heartbeat_url": None}


class SettingsFaulty(FollowupError):
    """A setting is missing or wrong; the text names it and says what to do."""


class Settings(BaseSettings):
    """Every setting of the bot; docs/settings.md is made from these descriptions."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    telegram_token: SecretStr | None = Field(None, description="The bot's token from BotFather; never logged.")
    telegram_base_url: str = Field(
        TELEGRAM, description="Bot API server, up to the token; change it for a self-hosted server."
    )
    telegram_base_file_url: str = Field(
        TELEGRAM_FILES, description="The same server's address for files, up to the token."
    )
    proxy_url: str | None = Field(None, description="HTTP proxy for all calls to Telegram.")
    mode: Literal["polling", "webhook"] = Field("polling", description="How updates come in.")
    webhook_url: str | None = Field(None, description="Public https address that Telegram calls (webhook mode).")
    webhook_secret: SecretStr | None = Field(
        None,
        description="16 to 256 letters, digits, _ or -; Telegram sends it with every call (webhook mode).",
    )
    webhook_host: str = Field("127.0.0.1", description="Address the webhook endpoint listens on.")
    webhook_port: int = Field(8443, description="Port the webhook endpoint listens on.", ge=1, le=65535)
    database_url: str = Field(
        "sqlite:///followup.sqlite3", description="SQLite file or postgresql://user:password@host/name."
    )
    database_schema: str = Field(
        "public", description="PostgreSQL schema of this site; sites with bots of their own take one each."
    )
    encryption_key: SecretStr | None = Field(
        None,
        description="Key from `followup new-key`, kept apart from the database (several: newest first, with commas).",
    )
    backup_key: SecretStr | None = Field(
        None, description="Key from `followup new-key` for backups; another one than the encryption key."
    )
    site: str = Field("HZ01", description="Short name of the site, kept with every subject.")
    site_timezone: str = Field("Asia/Shanghai", description="IANA zone of the clinic.")
    site_phone: str = Field(
        "", description="The site's 24 h number, shown to patients beside 120; needed by `followup run`."
    )
    site_place: str = Field("", description="Where visits take place, shown with every visit.")
    clinic_calendar: Path | None = Field(
        None, description="File with the clinic's own open and closed days; the official calendar alone when empty."
    )
    critical_values: Path | None = Field(
        None,
        description="File with the laboratory's own critical values (危急值); the trial's alone when empty.",
    )
    checkin_items: Path | None = Field(
        None,
        description="File with the site's official wording of the scores of the check-in; our own words when empty.",
    )
    protocol: Path | None = Field(None, description="Folder with protocol files; the bundled trial when empty.")
    invitation_hours: int = Field(72, description="How long an invitation link works.", ge=1, le=72)
    messages_per_second: int = Field(
        30,
        description="Telegram's limit for the bot; more only with paid broadcasts or a server without limits.",
        ge=1,
    )
    health_host: str = Field("127.0.0.1", description="Address /healthz and /metrics listen on.")
    health_port: int | None = Field(
        None, description="Port of /healthz and /metrics; not served when empty.", ge=1, le=65535
    )
    second_channel: Literal["when_needed", "always_for_red"] = Field(
        "when_needed",
        description="Whether e-mail and webhook carry what Telegram did not deliver, or every red page as well.",
    )
    smtp_host: str | None = Field(
        None, description="Mail server for pages that Telegram does not deliver; no e-mail when empty."
    )
    smtp_port: int = Field(587, description="Its port: mostly 587 with starttls, 465 with tls.", ge=1, le=65535)
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is protected; none only for a server on this machine."
    )
    smtp_user: str | None = Field(None, description="Name to log in with; no login when empty.")
    smtp_password: SecretStr | None = Field(None, description="Password to log in with; never logged.")
    smtp_from: str | None = Field(None, description="Address the e-mails come from; the server must let it send.")
    smtp_timeout_seconds: float = Field(20.0, description="How long each step of sending may take.", gt=0, le=60)
    page_webhook_url: SecretStr | None = Field(
        None,
        description="https address called for pages that Telegram does not deliver: a gateway for phone or SMS.",
    )
    page_webhook_secret: SecretStr | None = Field(
        None, description="At least 32 characters; signs each call, so that the gateway can tell who calls."
    )
    heartbeat_url: SecretStr | None = Field(
        None, description="https address of a monitor elsewhere, called while the bot works; none when empty."
    )
    heartbeat_style: Literal["plain", "healthchecks", "uptime_kuma"] = Field(
        "plain",
        description="What the monitor hears while the bot is not healthy: nothing, /fail at the end, or status=down.",
    )
    heartbeat_seconds: int = Field(60, description="How often it is called.", ge=10, le=3600)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    clock_start: datetime | None = Field(
        None,
        description="Rehearsal only, loopback Bot API server only: the time (with zone) the bot starts in.",
    )
    clock_speed: float = Field(
        1.0, description="Rehearsal only: seconds of bot time per real second.", gt=0, le=1_000_000
    )

    @field_validator("site_timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (LookupError, ValueError, OSError):  # a name that leads out of the folder, an unknown one, a folder
            raise ValueError("is not a time zone; write for example Asia/Shanghai") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _database_known(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @field_validator("database_schema")
    @classmethod
    def _schema_plain(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value):
            raise ValueError("must be a small letter, then small letters, digits or _")
        return value

    @field_validator("encryption_key", "backup_key")
    @classmethod
    def _key_fits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                Cipher(value.get_secret_value())
            except FollowupError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _secret_fits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value.get_secret_value()):
            raise ValueError("must be 16 to 256 letters, digits, _ or -")
        return value

    @field_validator("proxy_url")
    @classmethod
    def _proxy_known(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("must be an http:// or https:// proxy")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _webhook_is_https(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://")
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("must start with https://")
        return value

    @field_validator("page_webhook_url", "heartbeat_url")
    @classmethod
    def _called_over_https(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            plainly = parts.scheme == "http" and is_here(parts.hostname)
            if not parts.hostname or not (parts.scheme == "https" or plainly):
                raise ValueError("must start with https://")
        return value

    @field_validator("page_webhook_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_SECRET:
            raise ValueError(f"must be at least {LEAST_SECRET} characters; `followup new-key` prints one")
        return value

    @field_validator("smtp_from")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return email_address(value).value
        except FollowupError:
            raise ValueError("must be one e-mail address, for example followup@example.org") from None

    @field_validator("clock_start")
    @classmethod
    def _start_has_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs a zone, for example 2026-11-02T08:00:00+08:00")
        return value

    @model_validator(mode="after")
    def _hold_together(self) -> "Settings":
        if (self.clock_start is not None or self.clock_speed != 1.0) and not self.rehearsal_allowed:
            raise ValueError(
                f"{PREFIX}CLOCK_START and {PREFIX}CLOCK_SPEED are for rehearsal: "
                f"they work only while {PREFIX}TELEGRAM_BASE_URL is a loopback address"
            )
        if self.clock_start is not None or self.clock_speed != 1.0:
            self._rehearses_here()
        for name, needed in (
            ("smtp_host", "smtp_from"),
            ("smtp_user", "smtp_password"),
            ("page_webhook_url", "page_webhook_secret"),
        ):
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise ValueError(f"{PREFIX}{name.upper()} needs {PREFIX}{needed.upper()}: {self._purpose(needed)}")
        if self.smtp_host is not None and self.smtp_tls == "none" and not is_here(self.smtp_host):
            raise ValueError(
                f"{PREFIX}SMTP_TLS: none is for a mail server on this machine; "
                f"take starttls or tls for {self.smtp_host}"
            )
        return self

    def _rehearses_here(self) -> None:
        """Refuse a rehearsal whose second channel or heartbeat would reach real people."""
        hosts = {
            "smtp_host": self.smtp_host,
            **{name: _host(getattr(self, name)) for name in ("page_webhook_url", "heartbeat_url")},
        }
        for name, host in hosts.items():
            if host is not None and not is_here(host):
                raise ValueError(f"{PREFIX}{name.upper()}: in a rehearsal it must be a loopback address")

    @classmethod
    def _purpose(cls, name: str) -> str | None:
        return cls.model_fields[name].description

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site_timezone)

    @property
    def rehearsal_allowed(self) -> bool:
        """Tell whether the Bot API server is on this machine, so that no real person can be reached."""
        return is_here(urlsplit(self.telegram_base_url).hostname)

    @property
    def second_channels(self) -> tuple[str, ...]:
        """Return the ways beside Telegram by which a page can reach staff."""
        given = {EMAIL: self.smtp_host, WEBHOOK: self.page_webhook_url}
        return tuple(channel for channel, way in given.items() if way is not None)

    def clock(self) -> Clock:
        if self.clock_start is None and self.clock_speed == 1.0:
            return SystemClock()
        return FastClock(self.clock_start or SystemClock().now(), self.clock_speed)


def is_here(host: str | None) -> bool:
    """Tell whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: SecretStr | None) -> str | None:
    return None if url is None else urlsplit(url.get_secret_value()).hostname


def load_settings(**given: object) -> Settings:
    """Read the environment and `.env`.

    Raises:
        SettingsFaulty: one line that names every wrong setting.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsFaulty("; ".join(_plain(each) for each in error.errors())) from None


def _plain(problem: object) -> str:
    assert isinstance(problem, dict)
    name = "".join(f"{PREFIX}{part}".upper() for part in problem["loc"])
    said = str(problem["msg"]).removeprefix("Value error, ")
    return f"{name}: {said}" if name else said


def require(settings: Settings, *names: str) -> None:
    """Raise SettingsFaulty that names each of ``names`` which is empty, with what it is for."""
    missing = [
        f"{PREFIX}{name.upper()} is missing: {Settings.model_fields[name].description}"
        for name in names
        if not getattr(settings, name)
    ]
    if missing:
        raise SettingsFaulty("; ".join(missing))
