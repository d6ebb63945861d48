"""The methods of the Web API, as far as a bot of ours calls them."""

import json
from collections.abc import Callable
from typing import Any

from tests.platforms.slack.checks import check_blocks, check_chunks, check_metadata, check_text
from tests.platforms.slack.workspace import (
    BOT_ID,
    BOT_USER,
    TEAM,
    Channel,
    Message,
    SlackError,
    Wire,
    Workspace,
)

NEEDED = {
    "chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write", "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write", "chat.stopStream": "chat:write",
    "reactions.add": "reactions:write", "reactions.remove": "reactions:write",
    "files.getUploadURLExternal": "files:write", "files.completeUploadExternal": "files:write",
    "files.info": "files:read", "conversations.open": "im:write",
    "assistant.threads.setStatus": "assistant:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
}  # fmt: skip

LISTED = {
    "im": ("im:read", "D"), "mpim": ("mpim:read", "G"), "private_channel": ("groups:read", "P"),
    "public_channel": ("channels:read", "C"),
}  # fmt: skip
"""The scope that listing a kind of chats needs, and how their ids begin here."""

SHOWING = {
    "chat.postMessage", "chat.update", "chat.postEphemeral", "chat.startStream",
    "chat.appendStream", "chat.stopStream", "files.completeUploadExternal",
}  # fmt: skip
"""What faults are about: calls that show something."""


class Methods:
    """Calls methods on a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.streams_are_on = True
        self._methods: dict[str, Callable[[Wire], Wire]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.startStream": self._start_stream,
            "chat.appendStream": self._append_stream,
            "chat.stopStream": self._stop_stream,
            "reactions.add": self._add_reaction,
            "reactions.remove": self._remove_reaction,
            "conversations.replies": self._replies,
            "conversations.history": self._history,
            "conversations.info": self._info,
            "conversations.open": self._open,
            "users.conversations": self._conversations,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete_upload,
            "files.info": self._file_info,
            "views.open": self._open_view,
            "assistant.threads.setStatus": self._set_status,
            "assistant.threads.setSuggestedPrompts": self._set_prompts,
        }

    def call(self, method: str, arguments: Wire) -> Wire:
        """Return the answer of a method."""
        if method not in self._methods:
            raise SlackError("unknown_method")
        needed = NEEDED.get(method, "")
        if needed and needed not in self._workspace.scopes:
            raise SlackError("missing_scope", needed=needed, provided="")
        if arguments.get("username") and "chat:write.customize" not in self._workspace.scopes:
            raise SlackError("missing_scope", needed="chat:write.customize", provided="")
        return self._methods[method](arguments)

    def _auth_test(self, _: Wire) -> Wire:
        return {"team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID, "user": "sympozium"}

    def _post(self, given: Wire) -> Wire:
        check_text(given)
        channel = self._workspace.writable(given["channel"])
        message = self._own(channel, given)
        self._workspace.add(channel, message)
        return {"channel": channel.id, "ts": message.ts, "message": message.wire()}

    def _post_ephemeral(self, given: Wire) -> Wire:
        check_text(given)
        channel = self._workspace.writable(given["channel"])
        message = self._own(channel, given)
        message.only_for = given["user"]
        self._workspace.add(channel, message)
        return {"message_ts": message.ts}

    def _own(self, channel: Channel, given: Wire) -> Message:
        thread = given.get("thread_ts") or ""
        if thread and thread not in channel.messages:
            raise SlackError("thread_not_found")
        return Message(
            ts=self._workspace.now_ts(),
            user=BOT_USER,
            bot_id=BOT_ID,
            text=given.get("text") or "",
            thread_ts=thread,
            username=given.get("username") or "",
            blocks=given.get("blocks") or [],
            metadata=given.get("metadata"),
            link_names=bool(given.get("link_names")) or given.get("parse") == "full",
        )

    def _ours(self, given: Wire, gone: str = "message_not_found") -> Message:
        channel = self._workspace.writable(given["channel"])
        message = channel.messages.get(given["ts"])
        if message is None or message.only_for:
            raise SlackError(gone)
        if message.bot_id != BOT_ID:
            raise SlackError("cant_update_message")
        return message

    def _update(self, given: Wire) -> Wire:
        check_text(given)
        message = self._ours(given)
        if message.is_streaming:
            raise SlackError("streaming_state_conflict")
        message.text, message.blocks = given.get("text") or "", given.get("blocks") or []
        message.metadata = given.get("metadata", message.metadata)
        message.streamed = []
        self._workspace.touch()
        return {"channel": given["channel"], "ts": message.ts, "text": message.text}

    def _delete(self, given: Wire) -> Wire:
        message = self._ours(given)
        del self._workspace.channels[given["channel"]].messages[message.ts]
        self._workspace.touch()
        return {"channel": given["channel"], "ts": message.ts}

    def _start_stream(self, given: Wire) -> Wire:
        channel = self._workspace.writable(given["channel"])
        if not self.streams_are_on:
            raise SlackError("channel_type_not_supported")
        if not given.get("thread_ts"):
            raise SlackError("invalid_arguments")
        for name in ("recipient_team_id", "recipient_user_id"):
            if not channel.is_direct and not given.get(name):
                raise SlackError(f"missing_{name}")
        check_chunks(given.get("chunks") or [])
        message = self._own(channel, given)
        message.is_streaming, message.streamed = True, list(given.get("chunks") or [])
        self._workspace.add(channel, message)
        return {"channel": channel.id, "ts": message.ts}

    def _append_stream(self, given: Wire) -> Wire:
        message = self._streaming(given)
        check_chunks(given.get("chunks"))
        message.streamed += given["chunks"]
        self._workspace.touch()
        return {"channel": given["channel"], "ts": message.ts}

    def _stop_stream(self, given: Wire) -> Wire:
        message = self._streaming(given)
        check_blocks(given.get("blocks") or [])
        check_metadata(given.get("metadata"))
        message.is_streaming = False
        self._workspace.touch()
        return {"channel": given["channel"], "ts": message.ts}

    def _streaming(self, given: Wire) -> Message:
        message = self._ours(given)
        if not message.is_streaming:
            raise SlackError("message_not_in_streaming_state")
        return message

    def _add_reaction(self, given: Wire) -> Wire:
        message, reaction = self._reacted(given)
        if reaction in message.reactions:
            raise SlackError("already_reacted")
        message.reactions.append(reaction)
        self._workspace.touch()
        return {}

    def _remove_reaction(self, given: Wire) -> Wire:
        message, reaction = self._reacted(given)
        if reaction not in message.reactions:
            raise SlackError("no_reaction")
        message.reactions.remove(reaction)
        self._workspace.touch()
        return {}

    def _reacted(self, given: Wire) -> tuple[Message, tuple[str, str]]:
        channel = self._workspace.known(given["channel"])
        if given["timestamp"] not in channel.messages:
            raise SlackError("message_not_found")
        return channel.messages[given["timestamp"]], (given["name"], BOT_USER)

    def _replies(self, given: Wire) -> Wire:
        channel = self._workspace.writable(given["channel"])
        thread = channel.thread(given["ts"])
        if not thread:
            raise SlackError("thread_not_found")
        root, rest = thread[:1], thread[1:]
        oldest = float(given.get("oldest") or 0)
        return self._page(root + [m for m in rest if float(m.ts) > oldest], given)

    def _history(self, given: Wire) -> Wire:
        channel = self._workspace.writable(given["channel"])
        oldest = float(given.get("oldest") or 0)
        found = [
            message
            for message in channel.messages.values()
            if float(message.ts) > oldest and message.thread_ts in {"", message.ts}
        ]
        return self._page(sorted(found, key=lambda m: float(m.ts), reverse=True), given)

    def _page(self, found: list[Message], given: Wire) -> Wire:
        visible = [message for message in found if not message.only_for]
        at, limit = int(given.get("cursor") or 0), int(given.get("limit") or 100)
        with_metadata = str(given.get("include_all_metadata")).lower() in {"1", "true"}
        page = [m.wire(with_metadata=with_metadata) for m in visible[at : at + limit]]
        for message in page:
            replies = self._workspace.channels[given["channel"]].thread(message["ts"])
            if len(replies) > 1:
                message |= {"latest_reply": replies[-1].ts, "thread_ts": message["ts"]}
        more = str(at + limit) if at + limit < len(visible) else ""
        return {"messages": page, "response_metadata": {"next_cursor": more}}

    def _info(self, given: Wire) -> Wire:
        channel = self._workspace.known(given["channel"])
        return {"channel": {"id": channel.id, "name": "general", "is_member": channel.has_bot}}

    def _conversations(self, given: Wire) -> Wire:
        scope, prefix = LISTED[given["types"]]
        if scope not in self._workspace.scopes:
            raise SlackError("missing_scope", needed=scope, provided="")
        found = [
            {"id": channel.id}
            for channel in self._workspace.channels.values()
            if channel.id.startswith(prefix) and channel.has_bot and not channel.is_archived
        ]
        at, limit = int(given.get("cursor") or 0), int(given["limit"])
        more = str(at + limit) if at + limit < len(found) else ""
        return {"channels": found[at : at + limit], "response_metadata": {"next_cursor": more}}

    def _open(self, given: Wire) -> Wire:
        return {"channel": {"id": self._workspace.channel(f"D{given['users'][1:]}").id}}

    def _upload_url(self, given: Wire) -> Wire:
        if int(given["length"]) <= 0:
            raise SlackError("invalid_arguments")
        id_ = self._workspace.next_id("F")
        self._workspace.files[id_] = {
            "id": id_,
            "name": given["filename"],
            "size": int(given["length"]),
        }
        return {"file_id": id_, "upload_url": f"https://files.slack.com/upload/v1/{id_}"}

    def _complete_upload(self, given: Wire) -> Wire:
        channel = self._workspace.writable(given["channel_id"])
        message = self._own(channel, {"thread_ts": given.get("thread_ts")})
        for file in json.loads(given["files"]):
            known = self._workspace.files.get(file["id"])
            if known is None or len(self._workspace.bytes.get(file["id"], b"")) != known["size"]:
                raise SlackError("file_not_found")
            message.files.append(known)
        self._workspace.add(channel, message)
        return {"files": message.files}

    def _file_info(self, given: Wire) -> Wire:
        if given["file"] not in self._workspace.files:
            raise SlackError("file_not_found")
        return {"file": self._workspace.files[given["file"]]}

    def _open_view(self, given: Wire) -> Wire:
        view: dict[str, Any] = {"id": self._workspace.next_id("V"), **given["view"]}
        if not given.get("trigger_id"):
            raise SlackError("invalid_trigger_id")
        self._workspace.views.append(view)
        self._workspace.touch()
        return {"view": view}

    def _set_status(self, given: Wire) -> Wire:
        channel = self._workspace.known(given["channel_id"])
        if given["thread_ts"] not in channel.messages:
            raise SlackError("thread_not_found")
        self._workspace.statuses[channel.id, given["thread_ts"]] = given["status"]
        self._workspace.touch()
        return {}

    def _set_prompts(self, given: Wire) -> Wire:
        self._workspace.prompts.append(given)
        self._workspace.touch()
        return {}
