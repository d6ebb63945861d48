"""What a person sees of a message in Slack: words, markup applied, and whom it notifies."""

import re

from sympozium.testing.channels.driver import Seen
from tests.platforms.slack.workspace import Channel, Message, Wire, Workspace

_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>")
_STYLE = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]*?\S)\1(?![\w*_~])")
_PING = re.compile(r"<(![^>|]+|@[UW][A-Z0-9]+|!subteam[^>]*)(?:\|[^>]*)?>")
_BARE_PING = re.compile(r"@(channel|here|everyone)\b")


def seen(workspace: Workspace, channel: Channel, message: Message) -> Seen:
    """Return a message of the bot as a person sees it."""
    mrkdwn, plain, markdown = _texts(message)
    texts = [_applied(text) for text in mrkdwn]
    words = [*plain, *(text for text, _ in texts), *markdown]
    if not (mrkdwn or plain or markdown):
        applied, _ = _applied(message.text)
        words = [applied] if applied else []
    root = message.thread_ts if message.thread_ts != message.ts else ""
    return Seen(
        id=f"{channel.id}:{message.ts}",
        text=_INVISIBLE.sub("", "\n".join(words)),
        has_markup=any(has for _, has in texts),
        buttons=_labels(message),
        files=tuple(str(file["name"]) for file in message.files),
        author=message.username,
        in_thread_of=f"{channel.id}:{root}" if root else "",
        only_for=workspace.person(message.only_for) if message.only_for else "",
        pings=tuple(_pings(message, [*mrkdwn, message.text, *markdown])),
    )


def find_element(message: Message, label: str) -> tuple[Wire, Wire | None]:
    """Return the button of a label, or the menu and its entry."""
    for element in _elements(message):
        if element["type"] == "button" and element["text"]["text"] == label:
            return element, None
        for option in element.get("options", []):
            if option["text"]["text"] == label:
                return element, option
    raise AssertionError(f"there is no button {label!r}")


def _texts(message: Message) -> tuple[list[str], list[str], list[str]]:
    mrkdwn: list[str] = []
    plain: list[str] = []
    for block in message.blocks:
        text = block.get("text")
        if block["type"] == "section" and text:
            (mrkdwn if text["type"] == "mrkdwn" else plain).append(text["text"])
    streamed = "".join(c["text"] for c in message.streamed if c["type"] == "markdown_text")
    tasks = {c["id"]: c["title"] for c in message.streamed if c["type"] == "task_update"}
    return mrkdwn, plain, [text for text in (*tasks.values(), streamed) if text]


def _applied(text: str) -> tuple[str, bool]:
    """Return Slack's markup as words, and whether there was any."""
    kept: list[str] = []

    def keep(words: str) -> str:
        kept.append(words)
        return f"\ue000{len(kept) - 1}\ue001"

    rest = _FENCE.sub(lambda match: keep(match[1]), text)
    rest = _CODE.sub(lambda match: keep(match[1]), rest)
    rest = _LINK.sub(lambda match: keep(match[2] or match[1]), rest)
    for _ in range(3):
        rest = _STYLE.sub(lambda match: keep("") + match[2], rest)
    has_markup = bool(kept) or rest.startswith("> ")
    rest = re.sub(r"(?m)^> ?", "", rest)
    while "\ue000" in rest:
        rest = re.sub("\ue000(\\d+)\ue001", lambda match: kept[int(match[1])], rest)
    return rest.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), has_markup


def _pings(message: Message, texts: list[str]) -> list[str]:
    found = [match[1] for text in texts for match in _PING.finditer(text)]
    if message.link_names:
        found += [match[0] for text in texts for match in _BARE_PING.finditer(text)]
    return found


def _elements(message: Message) -> list[Wire]:
    streamed = [block for chunk in message.streamed for block in chunk.get("blocks", [])]
    blocks = [*message.blocks, *streamed]
    return [e for block in blocks if block["type"] == "actions" for e in block["elements"]]


def _labels(message: Message) -> tuple[str, ...]:
    labels: list[str] = []
    for element in _elements(message):
        if element["type"] == "button":
            labels.append(element["text"]["text"])
        labels += [option["text"]["text"] for option in element.get("options", [])]
    return tuple(labels)
