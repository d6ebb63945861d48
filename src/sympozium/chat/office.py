"""What a channel's own parts are given to work with."""

from dataclasses import dataclass

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.files import Files
from sympozium.chat.health import Health
from sympozium.chat.intake import Intake
from sympozium.chat.outbox.reactions import Marks
from sympozium.chat.settings import ChannelSettings


@dataclass(frozen=True)
class Office:
    """What a channel's own parts are given.

    Attributes:
        intake: Where messages go; the platform is answered after it has returned.
        desk: What the router keeps for this channel.
        files: What people send and are sent.
        health: To be told of every sign of life of the inbound path.
        marks: To be told of every message that was stored, by `marks.stored`.
    """

    settings: ChannelSettings
    bus: NatsBus
    intake: Intake
    desk: Desk
    files: Files
    health: Health
    marks: Marks
