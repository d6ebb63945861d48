"""Who may speak: nobody who is not named, and by the platform's stable ids alone."""

from sympozium.contract.channel import Access
from sympozium.contract.messages import Place, Sender

EVERYONE = "*"
"""Among the users: everyone whom the platform authenticates."""


def may_speak(sender: Sender, place: Place, access: Access) -> bool:
    """Return whether *access* names the sender, one of their groups, or where they write.

    Who has no id is nobody, wherever they write. `*` means everyone among the users
    only: as a group or a chat it names a group or chat that is called so.
    """
    if not sender.user_id:
        return False
    if sender.user_id in access.users or EVERYONE in access.users:
        return True
    if any(group in access.groups for group in sender.groups if group):
        return True
    written_in = {name for name in (place.chat, sender.workspace) if name}
    return not written_in.isdisjoint(access.chats)
