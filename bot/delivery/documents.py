"""Which file is handed over: a calendar that is made when it is sent, or one that lies ready in the message?"""

import base64
from collections.abc import Mapping
from typing import Any

from bot.delivery import calendar_file
from bot.delivery.calendar_file import Document


def make(spec: Mapping[str, Any]) -> Document:
    """Return the file that a message's document entry describes.

    Raises:
        KeyError: a part of the entry is missing.
    """
    if spec.get("kind") == "base64":
        return Document(spec["name"], base64.b64decode(spec["content"]))
    return calendar_file.make(spec)
