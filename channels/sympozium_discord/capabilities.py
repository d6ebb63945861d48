"""What Discord can do, for the common code."""

from sympozium.chat.capabilities import Capabilities, Rate
from sympozium.chat.markup import Dialect, LengthUnit, Limit

MAX_CHARS = 2000
"""Longest message. Source: https://docs.discord.com/developers/resources/message (content)"""

MAX_FILE_BYTES = 10 * 1024 * 1024
"""Longest file a bot may send. Source: https://docs.discord.com/developers/reference (files)"""

CAPABILITIES = Capabilities(
    platform="discord",
    dialect=Dialect.DISCORD,
    limit=Limit(MAX_CHARS, LengthUnit.UTF16),
    can_edit=True,
    can_mark=True,
    has_choices=True,
    has_private=True,
    max_file_bytes=MAX_FILE_BYTES,
    max_pieces=5,
    signal_every_s=8.0,
    preview_every_s=1.2,
    per_chat=(Rate(5, 5.0),),
    overall=(Rate(50, 1.0),),
    finds_posts=True,
)
"""Buckets are told by headers and differ by route; `per_chat` is the one of messages."""
