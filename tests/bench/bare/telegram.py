"""A bot as python-telegram-bot's documentation has it: an Application that polls."""

import os
from typing import Any

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

from tests.bench.bare.count import count_of_arguments, tell


async def _ready(_application: Application[Any, Any, Any, Any, Any, Any]) -> None:
    tell("ready")


def main() -> None:
    """Hear messages until the process is ended."""
    count = count_of_arguments()

    async def heard(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        count.heard()
        message = update.effective_message
        if count.echoes and message is not None:
            await message.reply_text(message.text or "")

    api = os.environ["SYMPOZIUM_API_URL"]
    application = (
        ApplicationBuilder()
        .token(os.environ["TELEGRAM_BOT_TOKEN"])
        .base_url(f"{api}/bot")
        .base_file_url(f"{api}/file/bot")
        .post_init(_ready)
        .build()
    )
    application.add_handler(MessageHandler(filters.ALL, heard))
    application.run_polling()


if __name__ == "__main__":
    main()
