"""What people read when there is no answer: one sentence for each reason.

Each says what happened and what to do, and ends with a reference to quote: the
run's name, or the short form of the message's id where there is no run. None of
them holds an exception's text, an address or anything that a model wrote.
"""

import re
from dataclasses import dataclass

from sympozium.contract.reasons import Reason

MAX_QUOTED_CHARS = 200

_UNPRINTABLE = re.compile(r"[^\w\s.,:;/()'\"+*=<>-]+")


@dataclass(frozen=True)
class Facts:
    """What a sentence may mention beside its reason.

    Attributes:
        reference: What to quote; see `contract.names.reference_of`.
        user_id: Who is refused.
        rule: What a rule of the cluster says for itself.
        code: With which an operator can let them in.
    """

    reference: str
    namespace: str = ""
    channel: str = ""
    agent: str = ""
    user_id: str = ""
    rule: str = ""
    code: str = ""


_SENTENCES = {
    Reason.DEADLINE_EXCEEDED: (
        "This took longer than agent {agent} may work on one message. Ask for a smaller step, "
        "or raise the agent's timeout."
    ),
    Reason.CANCELLED: "The work on this message was cancelled. Send it again to start over.",
    Reason.INTERRUPTED: (
        "A newer message took over, so the work on this one was ended. Send it again if it is "
        "still wanted."
    ),
    Reason.OUT_OF_MEMORY: (
        "The agent ran out of memory. Ask for a smaller step, or raise the memory limit of "
        "agent {agent}."
    ),
    Reason.VOLUME_FULL: (
        "The files of this work took more room than there is for them. Ask for a smaller step, "
        "or for fewer and smaller files."
    ),
    Reason.EVICTED: (
        "The cluster took away the machine on which this was worked on. Please send it again; if "
        "the agent was changing something, look first how far it came."
    ),
    Reason.IMAGE_PULL: (
        "The agent could not start, because the cluster cannot get its image. An operator has "
        "to look at this."
    ),
    Reason.NOT_STARTED: (
        "The cluster could not start the agent. Please send the message again in a few minutes; "
        "if it happens again, an operator has to look at this."
    ),
    Reason.NO_CAPACITY: (
        "The cluster had no room for this in time. Please send it again in a few minutes."
    ),
    Reason.QUOTA: (
        "The limits of namespace {namespace} leave no room for another run{rule}. Wait until "
        "earlier ones are finished, or ask an operator for more."
    ),
    Reason.DENIED_BY_POLICY: (
        "A rule of the cluster does not allow this{rule}. An operator can tell what is allowed."
    ),
    Reason.AGENT_CRASHED: (
        "The agent stopped in the middle of its work. Please send the message again; if it "
        "happens again, an operator has to look at this."
    ),
    Reason.AGENT_NOT_FOUND: (
        "Nobody answers on this channel: channel {channel} or its agent {agent} does not exist "
        "in namespace {namespace}. An operator has to set it up."
    ),
    Reason.CONFIGURATION: (
        "Agent {agent} is not set up completely: a key, a secret or a setting is missing or "
        "wrong. An operator has to look at this."
    ),
    Reason.CONTEXT_UNAVAILABLE: (
        "The agent could not get the earlier messages of this conversation. Please send the "
        "message again in a minute."
    ),
    Reason.MODEL_TIMEOUT: (
        "The model stopped answering. Please send the message again in a minute."
    ),
    Reason.MODEL_UNREACHABLE: (
        "The model cannot be reached. Please send the message again in a few minutes; if it "
        "happens again, an operator has to check the endpoint of agent {agent}."
    ),
    Reason.MODEL_REFUSED: (
        "The model's provider refused the request. An operator has to check the key and the "
        "model of agent {agent}."
    ),
    Reason.MODEL_OVERLOADED: (
        "The model's provider is overloaded. Please send the message again in a few minutes."
    ),
    Reason.MODEL_BAD_ANSWER: ("The model's answer came incomplete. Please send the message again."),
    Reason.TOO_MANY_STEPS: (
        "The agent did not come to an end in as many steps as it may take. Ask for a smaller step."
    ),
    Reason.RESULT_TOO_LARGE: (
        "The answer is longer than can be shown. Ask for a part of it, or for a summary."
    ),
    Reason.ACCESS_DENIED: (
        "You may not talk to this agent yet. Ask an operator to {pairing}add your user id "
        "{user_id} to spec.access.users of channel {channel} in namespace {namespace}."
    ),
    Reason.MESSAGE_UNREADABLE: (
        "This message could not be read: it is empty, too long, or not text. Please write it "
        "again, in up to 64 KiB of text."
    ),
    Reason.SET_ASIDE: (
        "Something went wrong on our side each time this message was tried, so it is set aside "
        "for an operator to look at. To have it tried again, write: !retry {reference}"
    ),
    Reason.NAMESPACE_CLOSED: (
        "The agents of namespace {namespace} were switched off before this was finished. An "
        "operator can switch them on again; then please send the message again."
    ),
    Reason.INTERNAL: (
        "Something went wrong on our side. Please send the message again; if it happens again, "
        "an operator has to look at this."
    ),
}


NOT_YOURS_TO_RETRY = "Only who wrote a message can have it tried again."
ALREADY_RETRIED = "This message is being tried again already, or was answered meanwhile."
RETRIED_TOO_OFTEN = "This message was tried too often. Please write it anew."


def nothing_to_retry(reference: str) -> str:
    """Return that there is no message without an answer, or none of that reference."""
    which = f" {quoted(reference)}" if reference else ""
    return f"There is no message{which} here that failed. Please write it anew."


def sentence(reason: str, facts: Facts) -> str:
    """Return the sentence for *reason*; for one that is not known, that of `Internal`."""
    known = Reason(reason) if reason in set(Reason) else Reason.INTERNAL
    rule = quoted(facts.rule)
    text = _SENTENCES[known].format(
        namespace=facts.namespace or "of this channel",
        channel=facts.channel or "of this conversation",
        agent=facts.agent or "of this channel",
        user_id=quoted(facts.user_id) or "(none)",
        rule=f" (it says: {rule})" if rule else "",
        pairing=_pairing(facts),
        reference=facts.reference,
    )
    return f"{text} ({facts.reference})"


def _pairing(facts: Facts) -> str:
    if not facts.code:
        return ""
    command = f"sympozium channel pair {facts.channel} {facts.code}"
    if facts.namespace not in {"", "default"}:
        command += f" --namespace {facts.namespace}"
    return f"type {command} (within a day), or to "


def quoted(text: str) -> str:
    """Return *text* fit to stand inside a sentence: one line, bounded, nothing that acts."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= MAX_QUOTED_CHARS else line[: MAX_QUOTED_CHARS - 1] + "…"
