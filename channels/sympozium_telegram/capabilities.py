"""What Telegram can do, as data."""

from sympozium.chat.capabilities import Capabilities, Rate
from sympozium.chat.markup import Dialect, LengthUnit, Limit

MAX_TEXT_UNITS = 4096
"""Longest text of a message. The markup counts here, so that no text can be over the limit.

Source: https://core.telegram.org/bots/api#sendmessage
"""

MAX_UPLOAD_BYTES = 50 * 1000 * 1000
"""Source: https://core.telegram.org/bots/api#sending-files"""

TYPING_EVERY_S = 10.0
"""Telegram shows "typing" for five seconds. It comes out of the chat's budget like an edit,
and edits say more: so it is asked for half of the time.

Source: https://core.telegram.org/bots/api#sendchataction
"""

CAPABILITIES = Capabilities(
    platform="telegram",
    dialect=Dialect.TELEGRAM,
    limit=Limit(MAX_TEXT_UNITS, LengthUnit.UTF16),
    can_edit=True,
    can_mark=True,
    has_choices=True,
    has_private=False,
    max_file_bytes=MAX_UPLOAD_BYTES,
    max_pieces=5,
    signal_every_s=TYPING_EVERY_S,
    preview_every_s=3.0,
    # One message a second in a chat, with short bursts; 20 a minute in a group.
    # Source: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    per_chat=(Rate(3, 3.0), Rate(20, 60.0)),
    overall=(Rate(30, 1.0),),
)
