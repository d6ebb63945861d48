"""The dialects in which an answer can be written."""

from enum import StrEnum


class Dialect(StrEnum):
    """One way to write an answer, as a platform reads it."""

    SLACK = "mrkdwn"
    TELEGRAM = "telegram-html"
    DISCORD = "discord"
    MARKDOWN = "markdown"
    """Standard Markdown: Slack's native stream, and platforms that read it or get plain text."""
