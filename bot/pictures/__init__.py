"""What is shown as a picture: link codes, calendars, courses of symptoms, weeks, chats."""

from collections.abc import Mapping
from typing import Any


def paint(spec: Mapping[str, Any]) -> bytes:
    """Return the PNG that a message's picture entry describes.

    Raises:
        KeyError: no picture of this kind.
    """
    # Loaded with the first picture: most starts of the bot, and most commands, never draw one.
    from bot.pictures.adherence import CalendarPicture, adherence_calendar_png
    from bot.pictures.course import CoursePicture, course_png
    from bot.pictures.digest import DigestPicture, digest_png
    from bot.pictures.kpi import WaitingPicture, waiting_png
    from bot.pictures.qr import qr_png

    painters = {
        "qr": lambda: qr_png(spec["link"], spec["caption"]),
        "kpi": lambda: waiting_png(WaitingPicture.from_dict(spec)),
        "adherence": lambda: adherence_calendar_png(CalendarPicture.from_dict(spec)),
        "digest": lambda: digest_png(DigestPicture.from_dict(spec)),
        "course": lambda: course_png(CoursePicture.from_dict(spec)),
    }
    return painters[spec["kind"]]()
