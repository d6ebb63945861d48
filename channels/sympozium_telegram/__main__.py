"""The program `python -m sympozium_telegram`: reads its settings, puts the parts together."""

import logging
from functools import partial

from sympozium.chat.program import serve_channel
from sympozium.runtime.logs import redact
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_telegram.connection import open_telegram
from sympozium_telegram.settings import hidden_path, read_settings

PROGRAM = "channel-telegram"


async def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    settle_in()
    settings = read_settings()
    redact(settings.token, settings.token.partition(":")[2])
    redact(settings.webhook_secret, hidden_path(settings.webhook_secret))
    logging.getLogger().setLevel(settings.channel.log_level)
    await serve_channel(settings.channel, stop_on_signals(), partial(open_telegram, settings))


if __name__ == "__main__":
    run_program(PROGRAM, main)
