"""How is this bot set up? The environment (FOLLOWUP_*) or `.env`, as typed settings."""

import ipaddress
import re
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.cipher import Cipher
from bot.clock import Clock, FastClock, SystemClock
from bot.errors import FollowupError

TELEGRAM = "https://api.telegram.org/bot"
TELEGRAM_FILES = "https://api.telegram.org/file/bot"
PREFIX = "FOLLOWUP_"


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
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site_timezone)

    @property
    def rehearsal_allowed(self) -> bool:
        """Tell whether the Bot API server is on this machine, so that no real person can be reached."""
        host = urlsplit(self.telegram_base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def clock(self) -> Clock:
        if self.clock_start is None and self.clock_speed == 1.0:
            return SystemClock()
        return FastClock(self.clock_start or SystemClock().now(), self.clock_speed)


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
