"""In whose name something is said: that of the agent, where the app may use it."""

from typing import Any

from sympozium.contract.names import short_hash

MAX_NAME_CHARS = 80
ICONS = (
    ":large_blue_circle:", ":large_green_circle:", ":large_orange_circle:", ":large_purple_circle:",
    ":large_yellow_circle:", ":red_circle:", ":large_brown_circle:", ":white_circle:",
)  # fmt: skip


class Naming:
    """How agents are called.

    Attributes:
        is_allowed: The token has the scope `chat:write.customize`, as far as is known.
    """

    def __init__(self) -> None:
        self.is_allowed = True

    def of(self, author: str) -> dict[str, Any]:
        """Return the arguments that name *author*, with an icon of its own; none without one."""
        if not (author and self.is_allowed):
            return {}
        icon = ICONS[sum(short_hash(author).encode()) % len(ICONS)]
        return {"username": author[:MAX_NAME_CHARS], "icon_emoji": icon}
