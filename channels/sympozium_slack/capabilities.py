"""What Slack can do."""

from sympozium.chat.capabilities import Capabilities, Rate
from sympozium.chat.markup import Dialect, LengthUnit, Limit
from sympozium.contract.limits import MAX_FILE_BYTES

MAX_SECTION_CHARS = 3000
"""Longest text of a section block.

Source: https://docs.slack.dev/reference/block-kit/blocks/section-block
"""

CAPABILITIES = Capabilities(
    platform="slack",
    dialect=Dialect.SLACK,
    limit=Limit(MAX_SECTION_CHARS, LengthUnit.CODE_POINTS),
    can_edit=True,
    can_mark=True,
    has_choices=True,
    has_private=True,
    max_file_bytes=MAX_FILE_BYTES,
    max_pieces=6,
    signal_every_s=60.0,
    preview_every_s=1.2,
    per_chat=(Rate(3, 1.0), Rate(60, 60.0)),
    overall=(Rate(240, 60.0),),
    finds_posts=True,
)
"""A message a second and chat, with short bursts; a status line is taken away after two minutes.

Source: https://docs.slack.dev/apis/web-api/rate-limits
"""
