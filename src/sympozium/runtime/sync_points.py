"""The moments at which a program can be made to die or to stop, to prove that nothing is lost.

Between two effects (stored and told, created and noted, shown and acknowledged) lies
a moment at which a crash is worth most. Each has a name here, and the program says
`reach(Point.X)` in it; see `sympozium.runtime.reach`.
"""

from enum import StrEnum
from typing import Self


class Point(StrEnum):
    """Every sync point: `<program>.<point>`, and what has happened there and what has not."""

    meaning: str

    def __new__(cls, name: str, meaning: str = "") -> Self:
        """Make a member whose value is its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    @property
    def program(self) -> str:
        """Which program reaches it."""
        return self.value.partition(".")[0]

    # The web channel, which shows what comes itself.
    WEB_BEFORE_STORE = (
        "web.before-store",
        "A message was posted and read; it is not in INBOX, and its sender has no answer.",
    )
    WEB_AFTER_STORE = (
        "web.after-store",
        "A message is in INBOX; its sender has not been told so.",
    )
    WEB_BEFORE_SHOW = (
        "web.before-show",
        "A delivery of OUTBOX was taken; nobody has seen anything of it.",
    )
    WEB_AFTER_SHOW = (
        "web.after-show",
        "A delivery was handed to every open stream; it is not acknowledged.",
    )

    # Every chat channel, by the library that they share.
    CHANNEL_BEFORE_STORE = (
        "channel.before-store",
        "The platform delivered a message; it is not in INBOX, and the platform has no receipt.",
    )
    CHANNEL_AFTER_STORE = (
        "channel.after-store",
        "A message is in INBOX; the platform has no receipt and will deliver it again.",
    )
    CHANNEL_BEFORE_PLACEHOLDER = (
        "channel.before-placeholder",
        "A run was accepted; no placeholder was posted for it.",
    )
    CHANNEL_AFTER_PLACEHOLDER = (
        "channel.after-placeholder",
        "The platform confirmed the placeholder; no note says which post it is.",
    )
    CHANNEL_AFTER_FOLLOW = (
        "channel.after-follow",
        "It is noted which run is followed and where; its delivery is not acknowledged.",
    )
    CHANNEL_BEFORE_END = (
        "channel.before-end",
        "The end of a message was taken from OUTBOX; nothing of it was shown.",
    )
    CHANNEL_AFTER_PIECE = (
        "channel.after-piece",
        "The platform confirmed a piece of an end; no note says so.",
    )
    CHANNEL_AFTER_PIECE_NOTE = (
        "channel.after-piece-note",
        "A piece of an end was shown and noted; the next one was not shown.",
    )
    CHANNEL_BEFORE_END_NOTE = (
        "channel.before-end-note",
        "All of an end was shown; no note says that it is over.",
    )
    CHANNEL_BEFORE_ACK = (
        "channel.before-ack",
        "A delivery of OUTBOX was shown and noted; it is not acknowledged.",
    )
    CHANNEL_AFTER_ACK = (
        "channel.after-ack",
        "A delivery of OUTBOX was shown, noted and acknowledged.",
    )

    # The router: from INBOX to runs.
    ROUTER_RECEIVED = (
        "router.received",
        "INBOX delivered a message; nothing was done about it.",
    )
    ROUTER_BEFORE_RECORD = (
        "router.before-record",
        "It was decided that a message is for an agent; it has no row in the store.",
    )
    ROUTER_AFTER_RECORD = (
        "router.after-record",
        "A message has its row; its run does not exist.",
    )
    ROUTER_AFTER_COMMAND = (
        "router.after-command",
        "A command is stored with its answer and what it changes; nobody was told.",
    )
    ROUTER_BEFORE_CREATE = (
        "router.before-create",
        "A run is described; the API server has not been asked to create it.",
    )
    ROUTER_AFTER_CREATE = (
        "router.after-create",
        "The AgentRun exists; the message's row does not know it.",
    )
    ROUTER_AFTER_TELL = (
        "router.after-tell",
        "The channel was told of the run by OUTBOX; the message's row does not know it.",
    )
    ROUTER_AFTER_STARTED = (
        "router.after-started",
        "The message's row has its run; the message is not acknowledged.",
    )
    ROUTER_BEFORE_ACK = (
        "router.before-ack",
        "What becomes of a message is durable; INBOX has no acknowledgement.",
    )
    ROUTER_AFTER_ACK = (
        "router.after-ack",
        "A message is acknowledged; its conversation was not looked at since.",
    )
    ROUTER_AFTER_TURN = (
        "router.after-turn",
        "A message that waited has the name of its run; the run does not exist.",
    )
    ROUTER_BEFORE_OFFER = (
        "router.before-offer",
        "It is noted that a message goes to the run at work; the run was not handed it.",
    )
    ROUTER_AFTER_OFFER = (
        "router.after-offer",
        "The run at work was handed a message; the message is not acknowledged.",
    )
    ROUTER_AFTER_BEGUN = (
        "router.after-begun",
        "It is noted that a run has read its task; the run has no answer.",
    )

    # The router: from runs to OUTBOX.
    ROUTER_BEFORE_CANCEL = (
        "router.before-cancel",
        "A stop is noted; the run has not been told to end.",
    )
    ROUTER_AFTER_CANCEL = (
        "router.after-cancel",
        "A run was told to end; the end of its message is not noted.",
    )
    ROUTER_BEFORE_FINISH = (
        "router.before-finish",
        "The end of a message is known from its run; it is not noted.",
    )
    ROUTER_AFTER_FINISH = (
        "router.after-finish",
        "The end of a message is noted; it is not in OUTBOX.",
    )
    ROUTER_AFTER_PUBLISH = (
        "router.after-publish",
        "The end of a message is in OUTBOX; its row does not know it.",
    )
    ROUTER_AFTER_PUBLISHED = (
        "router.after-published",
        "The end of a message is in OUTBOX and noted; the conversation's next was not looked at.",
    )

    # The controller.
    CONTROLLER_BEFORE_JOB = (
        "controller.before-job",
        "It was decided to start a run; its Job does not exist.",
    )
    CONTROLLER_AFTER_JOB = (
        "controller.after-job",
        "The Job of a run exists; the controller has noted nothing.",
    )
    CONTROLLER_BEFORE_ADMIT = (
        "controller.before-admit",
        "The bus asked whether it may let a program in; it has no answer.",
    )
    CONTROLLER_ENDING_RECEIVED = (
        "controller.ending-received",
        "RUNS delivered the end of a run; its status does not say so.",
    )
    CONTROLLER_BEFORE_STATUS = (
        "controller.before-status",
        "The terminal status of a run is decided; it is not written.",
    )
    CONTROLLER_AFTER_STATUS = (
        "controller.after-status",
        "The terminal status of a run is written; its event is not acknowledged.",
    )
    CONTROLLER_BEFORE_DELETE_JOB = (
        "controller.before-delete-job",
        "A run has ended and its Job is to go; it is there.",
    )
    CONTROLLER_AFTER_DELETE_JOB = (
        "controller.after-delete-job",
        "The Job of a run that was ended is deleted; nothing else was done.",
    )

    # The bridge of a run.
    BRIDGE_CONNECTED = (
        "bridge.connected",
        "The run's bridge was admitted to the bus; it asked nothing and said nothing.",
    )
    BRIDGE_BEFORE_BRIEFING = (
        "bridge.before-briefing",
        "The router answered what the run is to do; the agent's journal does not have it.",
    )
    BRIDGE_AFTER_BRIEFING = (
        "bridge.after-briefing",
        "The agent's journal has its task; the bridge has not gone on from there.",
    )
    BRIDGE_BEFORE_PUBLISH = (
        "bridge.before-publish",
        "A line of the agent was read; it is not on the bus.",
    )
    BRIDGE_AFTER_PUBLISH = (
        "bridge.after-publish",
        "A line of the agent is on the bus; how far the bridge has come is not kept.",
    )
    BRIDGE_BEFORE_END = (
        "bridge.before-end",
        "The end of the run was read from the journal; it is not on the bus.",
    )
    BRIDGE_AFTER_END = (
        "bridge.after-end",
        "The end of the run is on the bus; the bridge has not kept that.",
    )
    BRIDGE_BEFORE_HAND_OVER = (
        "bridge.before-hand-over",
        "A message for the run at work came; the agent's journal does not have it.",
    )
    BRIDGE_AFTER_HAND_OVER = (
        "bridge.after-hand-over",
        "The agent's journal has a message that came while it worked.",
    )

    # The agent of a run, and the sidecar of its tools.
    AGENT_BRIEFED = (
        "agent.briefed",
        "The agent has read its task; it said nothing.",
    )
    AGENT_AFTER_STARTED = (
        "agent.after-started",
        "The agent said that it has begun; the model was not asked.",
    )
    AGENT_AFTER_ABSORBED = (
        "agent.after-absorbed",
        "The agent said that it has taken a message in; the model was not asked about it.",
    )
    AGENT_BEFORE_TOOL = (
        "agent.before-tool",
        "The model asked for a tool; it was not called.",
    )
    AGENT_AFTER_TOOL = (
        "agent.after-tool",
        "A tool has answered; the model does not know.",
    )
    AGENT_BEFORE_END = (
        "agent.before-end",
        "The answer is known; the journal does not have it.",
    )
    AGENT_AFTER_END = (
        "agent.after-end",
        "The journal has the answer; the agent has not ended.",
    )
    TOOL_BEFORE_ANSWER = (
        "tool.before-answer",
        "A tool has run; its answer is not in the journal.",
    )
    TOOL_AFTER_ANSWER = (
        "tool.after-answer",
        "The answer of a tool is in the journal; its sidecar has not gone on.",
    )
