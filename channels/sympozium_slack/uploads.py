"""Sending files: Slack names an address, takes the bytes there, and shows the file when told."""

import json
from collections import OrderedDict
from typing import Any

from sympozium.chat.platform import Attachment
from sympozium.contract.errors import PermanentError
from sympozium_slack.api import Api
from sympozium_slack.ids import Origin
from sympozium_slack.posts import find

MAX_REMEMBERED = 256


class Uploads:
    """Files of answers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sent: OrderedDict[str, str] = OrderedDict()

    async def send(self, origin: Origin, file: Attachment, *, key: str, again: bool) -> None:
        """Show a file where *origin* is answered.

        Args:
            origin: What it answers.
            file: The file.
            key: Its identity.
            again: It may be there: it is looked for by its id, or by its name after a restart.

        Raises:
            TransientError: It may or may not be there.
            PermanentError: It cannot be shown.
        """
        if again and await self._is_there(origin, file, key):
            return
        answer = await self._api.call(
            "files.getUploadURLExternal", filename=file.name, length=len(file.data)
        )
        file_id, url = str(answer.get("file_id") or ""), str(answer.get("upload_url") or "")
        if not (file_id and url):
            raise PermanentError("cannot send a file: Slack names no address for it")
        await self._api.write(url, file.data)
        self._remember(key, file_id)
        await self._api.call(
            "files.completeUploadExternal",
            files=json.dumps([{"id": file_id, "title": file.name}]),
            channel_id=origin.channel,
            thread_ts=origin.thread or None,
        )

    async def _is_there(self, origin: Origin, file: Attachment, key: str) -> bool:
        sent = self._sent.get(key)

        def has_it(post: dict[str, Any]) -> bool:
            files = [one for one in post.get("files") or [] if isinstance(one, dict)]
            if sent is not None:
                return any(one.get("id") == sent for one in files)
            return bool(post.get("bot_id")) and any(one.get("name") == file.name for one in files)

        return await find(self._api, origin, has_it) is not None

    def _remember(self, key: str, file_id: str) -> None:
        self._sent[key] = file_id
        while len(self._sent) > MAX_REMEMBERED:
            self._sent.popitem(last=False)
