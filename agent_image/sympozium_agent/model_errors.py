"""What the bridge answers by itself when a model call cannot be passed on or comes to nothing.

The codes travel in the JSON error of the response; the agent reads them again here.
"""

from typing import Any, Final

from sympozium_agent.provider import Trouble

UNREACHABLE: Final = "model_unreachable"
SILENT: Final = "model_silent"
BAD_ANSWER: Final = "model_bad_answer"

PROXY_TROUBLES = {
    UNREACHABLE: Trouble.UNREACHABLE,
    SILENT: Trouble.SILENT,
    BAD_ANSWER: Trouble.BAD_ANSWER,
}


def error_body(message: str, code: str) -> dict[str, Any]:
    """Return a JSON error in the form of the OpenAI protocol."""
    return {"error": {"message": message, "type": "sympozium", "code": code}}
