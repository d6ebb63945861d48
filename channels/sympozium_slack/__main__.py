"""The program `python -m sympozium_slack`: settings, parts, and running them."""

import logging
from functools import partial

from sympozium.chat.program import serve_channel
from sympozium.runtime.logs import redact
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_slack.connection import connected
from sympozium_slack.settings import read_settings

PROGRAM = "channel-slack"


async def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    settle_in()
    settings = read_settings()
    redact(settings.bot_token, settings.app_token, settings.signing_secret)
    logging.getLogger().setLevel(settings.channel.log_level)
    await serve_channel(settings.channel, stop_on_signals(), partial(connected, settings))


if __name__ == "__main__":
    run_program(PROGRAM, main)
