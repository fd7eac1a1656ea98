"""How does python-telegram-bot reach the simulated Telegram without any network?"""

import os
from collections.abc import Callable
from urllib.parse import unquote

from telegram._utils.types import ODVInput
from telegram.error import NetworkError
from telegram.request import BaseRequest, RequestData

from bot.simulator.parts import Exchange, Upload
from bot.simulator.telegram import SimulatedTelegram

Check = Callable[[str, int, bytes], None]


def _accept(method: str, status: int, body: bytes) -> None:
    """Believe every answer, as the library does by itself."""


class SimulatedRequest(BaseRequest):
    """Answers the library's requests from a SimulatedTelegram.

    Args:
        telegram: the server.
        check: looks at HTTP method, status and body before the library does and may raise; the live
            bot's own check is given here so that a proxy's page means the same in memory.
        not_sent: what a request that never left raises.
    """

    def __init__(
        self,
        telegram: SimulatedTelegram,
        check: Check = _accept,
        not_sent: type[NetworkError] = NetworkError,
    ) -> None:
        # The library warns about every 429 until waiting times may be timedeltas.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        self._telegram = telegram
        self._check = check
        self._not_sent = not_sent

    @property
    def read_timeout(self) -> float | None:
        return 5.0

    async def initialize(self) -> None:
        """Do nothing: there is no connection."""

    async def shutdown(self) -> None:
        """Do nothing: there is no connection."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Answer as a server would; timeouts do not apply."""
        exchange = await self._exchange(url, method, request_data)
        if exchange.cut == "unreachable":
            raise self._not_sent("no connection to the simulated server")
        if exchange.cut is not None:
            raise NetworkError("the simulated connection was cut")
        self._check(method, exchange.status, exchange.body)
        return exchange.status, exchange.body

    async def _exchange(self, url: str, method: str, request_data: RequestData | None) -> Exchange:
        token, _, rest = unquote(url).partition("/bot")[2].partition("/")
        if method == "GET":
            return self._telegram.download(token, rest)
        if request_data is None:
            return await self._telegram.exchange(token, rest, {})
        files = {
            part: Upload(str(field[0]), field[1] if isinstance(field[1], bytes) else field[1].read())
            for part, field in request_data.multipart_data.items()
        }
        return await self._telegram.exchange(token, rest, request_data.json_parameters, files)
