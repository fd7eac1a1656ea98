"""How does a picture that was drawn from the top down become a small file?"""

import io

from PIL import Image

PAPER = "#FFFFFF"
TEXT = "#1A1A1A"
SOFT_TEXT = "#555555"
# They differ for colour-blind people too, and in grey.
BLUE = "#0072B2"
VERMILLION = "#B84300"


def png(canvas: Image.Image, bottom: int, colours: int) -> bytes:
    """Return a PNG of a canvas, cut off at ``bottom`` pixels, in at most so many colours."""
    buffer = io.BytesIO()
    cut = canvas.crop((0, 0, canvas.width, min(bottom, canvas.height)))
    cut.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
