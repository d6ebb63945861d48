"""The web channel's HTTP contract, from the other side."""

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sympozium.contract.errors import PermanentError, TransientError
from sympozium_local.cli.web_door import WebDoor

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 60.0
"""The channel sends a heartbeat every 15 s; longer silence is a dead connection."""

PATIENCE_S = 30.0
"""How long to try again when the channel is away."""

RETRY_S = 0.2


class ChatRefusedError(PermanentError):
    """The channel did not take the message, and said why."""


class ChatUnavailableError(TransientError):
    """The channel does not answer."""


@dataclass(frozen=True)
class Event:
    """One event of a conversation."""

    type: str
    data: dict[str, Any]


class WebChat:
    """One conversation at the web channel."""

    def __init__(self, door: WebDoor, conversation: str) -> None:
        parts = urlsplit(door.url)
        self._door = door
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._path = f"/api/conversations/{quote(conversation, safe='')}"
        self._last_id = ""

    def post(self, text: str, message_id: str) -> str:
        """Send a message until it is stored; return the id that the channel gave it.

        Raises:
            ChatRefusedError: The channel says that it cannot take it.
            ChatUnavailableError: It did not answer for half a minute.
        """
        deadline = time.monotonic() + PATIENCE_S
        body = json.dumps({"text": text, "id": message_id})
        while True:
            try:
                return self._post_once(body)
            except ChatUnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)

    def _post_once(self, body: str) -> str:
        status, raw = self._request("POST", "/messages", body)
        if status == 202:
            return str(_json(raw)["message_id"])
        raise _refusal("send the message", status, raw)

    def reply_to(self, message_id: str) -> dict[str, Any] | None:
        """Return the entry that answers a message, from the transcript, or None so far."""
        status, raw = self._request("GET", "/messages")
        if status != 200:
            return None
        entries: list[dict[str, Any]] = _json(raw)["messages"]
        return next((entry for entry in entries if entry.get("in_reply_to") == message_id), None)

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, self._path + path, body, headers | self._headers())
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ChatUnavailableError(
                f"cannot reach the web chat at {self._host}:{self._port}: "
                f"{type(error).__name__}; see `sympozium status`"
            ) from error
        finally:
            connection.close()

    def listen(self) -> "Stream":
        """Open the conversation's events, from after the last end that was seen.

        Raises:
            ChatUnavailableError: The channel does not answer.
            ChatRefusedError: It does, with no.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        try:
            connection.request("GET", self._path + "/events", headers=headers | self._headers())
            response = connection.getresponse()
            if connection.sock is not None:
                connection.sock.settimeout(SILENCE_TIMEOUT_S)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ChatUnavailableError(
                f"cannot follow the conversation: {type(error).__name__}"
            ) from error
        if response.status != 200:
            raw = response.read()
            connection.close()
            raise _refusal("follow the conversation", response.status, raw)
        return Stream(connection, response, self)

    def _headers(self) -> dict[str, str]:
        headers = {"Host": self._door.host} if self._door.host else {}
        if self._door.token:
            headers["Authorization"] = f"Bearer {self._door.token}"
        return headers

    def remember(self, event_id: str) -> None:
        """Keep where the stream is, for the next `listen`."""
        self._last_id = event_id


class Stream:
    """An open stream of events."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        chat: WebChat,
    ) -> None:
        self._connection = connection
        self._response = response
        self._chat = chat

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the connection ends."""
        fields: dict[str, str] = {}
        try:
            for raw in self._response:
                line = raw.decode().rstrip("\r\n")
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                    continue
                if "id" in fields:
                    self._chat.remember(fields["id"])
                if "data" in fields:
                    yield Event(fields.get("event", "message"), json.loads(fields["data"]))
                fields = {}
        except (OSError, http.client.HTTPException):
            return


def _refusal(verb: str, status: int, raw: bytes) -> ChatRefusedError | ChatUnavailableError:
    error = _json(raw).get("error") or {}
    text = (
        f"cannot {verb}: {error.get('message', f'HTTP {status}')} {error.get('hint', '')}".strip()
    )
    if status == 401:
        text += " For this command line, set SYMPOZIUM_WEB_TOKEN to the channel's token."
    return ChatUnavailableError(text) if status >= 500 else ChatRefusedError(text)


def _json(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
