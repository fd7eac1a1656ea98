"""How does a page leave as a signed call to a gateway of the site, for phone, SMS or a messenger?

docs/operation.md shows a gateway; a test runs it against what leaves here.
"""

import hashlib
import hmac
import json

import aiohttp

from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Unsure
from bot.settings import Settings
from bot.usecases.second_channel import Letter

ID_HEADER = "X-Followup-Id"
TIME_HEADER = "X-Followup-Timestamp"
SIGNATURE_HEADER = "X-Followup-Signature"
TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)
# Answers of a client error that ask to come again.
LATER = frozenset({408, 425, 429})
# There was no connection to write the call to.
NO_WAY = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a call: HMAC-SHA256 over the time, a dot and the body, in hex."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def body_of(letter: Letter) -> bytes:
    """Return what a gateway is told: no health data, and nothing of a patient."""
    told = {
        "id": letter.id,
        "kind": letter.kind,
        "urgency": letter.urgency,
        "case": letter.case,
        "page": letter.page,
        "minutes": letter.minutes,
        "staff": letter.staff,
        "role": letter.role,
        "locale": letter.locale,
        "title": letter.subject,
        "text": letter.body,
        "phone": letter.phone,
    }
    return json.dumps(told, ensure_ascii=False).encode()


class PageWebhook:
    """Calls the site's gateway, a connection each."""

    def __init__(self, settings: Settings) -> None:
        assert settings.page_webhook_url is not None
        assert settings.page_webhook_secret is not None
        self._url = settings.page_webhook_url.get_secret_value()
        self._secret = settings.page_webhook_secret.get_secret_value()

    async def deliver(self, letter: Letter) -> Outcome:
        """Try once; every failure is an outcome, never an exception. Reasons name no address, for it may be a key."""
        body, timestamp = body_of(letter), str(int(letter.at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            ID_HEADER: letter.id,
            TIME_HEADER: timestamp,
            SIGNATURE_HEADER: sign(self._secret, timestamp, body),
        }
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except NO_WAY as error:
            return NotSent(type(error).__name__)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Unsure(type(error).__name__)
        if 200 <= status < 300:
            return Sent(None)
        reason = f"status {status}"
        return NotSent(reason) if status >= 500 or status in LATER else Refused(reason)
