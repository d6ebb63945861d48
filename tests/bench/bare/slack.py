"""A bot as slack_bolt's documentation has it: Socket Mode and an asynchronous handler."""

import asyncio
import os
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from typing_extensions import override

from tests.bench.bare.count import count_of_arguments, tell


class _Client(AsyncWebClient):
    """Finds the sockets of the stand-in where it finds the stand-in."""

    @override
    async def apps_connections_open(self, *, app_token: str, **kwargs: Any) -> AsyncSlackResponse:
        answer = await super().apps_connections_open(app_token=app_token, **kwargs)
        host = self.base_url.removeprefix("http://").partition("/")[0]
        assert isinstance(answer.data, dict)
        answer.data["url"] = f"ws://{host}/link/"
        return answer


async def main() -> None:
    """Hear messages until the process is ended."""
    count = count_of_arguments()
    api = f"{os.environ['SYMPOZIUM_API_URL']}/api/"
    token = os.environ.pop("SLACK_BOT_TOKEN")  # the app would look there for another client
    app = AsyncApp(client=_Client(token, base_url=api))

    @app.event("message")
    async def heard(event: dict[str, Any], say: AsyncSay) -> None:
        count.heard()
        if count.echoes:
            await say(event["text"], thread_ts=event["ts"])

    @app.event("app_mention")
    async def named() -> None:
        """Such a message was heard already."""

    handler = AsyncSocketModeHandler(
        app, os.environ["SLACK_APP_TOKEN"], web_client=_Client(base_url=api)
    )
    await handler.connect_async()  # type: ignore[no-untyped-call] # the library has no types here
    tell("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
