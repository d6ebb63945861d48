"""Who may speak on a channel. Nobody who is not named."""

from collections.abc import Sequence

from sympozium.contract.messages import Sender

EVERYONE = "*"


def may_speak(sender: Sender, users: Sequence[str]) -> bool:
    """Return whether a channel whose `spec.access.users` is *users* listens to *sender*.

    Only the platform's stable user id counts. A sender without one was not
    authenticated by the platform, so not even `*` means them.
    """
    return bool(sender.user_id) and (EVERYONE in users or sender.user_id in users)
