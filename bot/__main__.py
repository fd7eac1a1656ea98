"""The `followup` command."""

import gc


def main() -> None:
    """Run a command.

    What is loaded stays until the end, so it is never looked through for garbage: that would cost a fifth of
    a second at the start, and half a second between the last word of a bot that stops and its end.
    """
    gc.disable()
    from bot.cli import main as command

    gc.freeze()
    gc.enable()
    try:
        command()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
