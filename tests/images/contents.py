"""What each image can import beside the standard library, by name: more is a mistake."""

from sympozium_images.programs import Image

_ALL = {"msgspec", "nats", "sympozium"}
_AIOHTTP = {
    "aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "attrs", "frozenlist", "idna", "multidict",
    "propcache", "typing_extensions", "yarl",
}  # fmt: skip
_CHAT = _ALL | _AIOHTTP | {"markdown_it", "mdurl"}
_MODEL = {
    "anyio", "h11", "httpcore2", "httpx2", "idna", "truststore", "typing_extensions",
}  # fmt: skip
_STORE = {
    "aiosqlite", "alembic", "asyncpg", "greenlet", "mako", "markupsafe", "sqlalchemy",
}  # fmt: skip
_KEYS = {"_cffi_backend", "cffi", "cryptography", "nacl", "nkeys", "pycparser"}
_BOT_API = {"anyio", "certifi", "h11", "httpcore", "httpx", "telegram"}

MODULES = {
    "agent": _ALL | _MODEL | {"asyncinotify", "sympozium_agent"},
    "router": _ALL | _AIOHTTP | _STORE | {"sympozium_router"},
    "controller": _ALL | _AIOHTTP | _KEYS | {"dns", "sympozium_controller"},
    "channel-web": _ALL | _AIOHTTP | {"sympozium_web"},
    "channel-slack": _CHAT | {"slack", "slack_sdk", "sympozium_slack"},
    "channel-telegram": _CHAT | _BOT_API | {"sympozium_telegram"},
    "channel-discord": _CHAT | {"discord", "sympozium_discord"},
}
"""Top-level modules by image, named without `sympozium/`."""

_PARTS_OF_ALL = {"bus", "contract", "runtime"}
_PARTS_OF_CHANNELS = _PARTS_OF_ALL | {"chat"}

PARTS = {
    "agent": _PARTS_OF_ALL,
    "router": _PARTS_OF_CHANNELS | {"kube", "store"},
    "controller": _PARTS_OF_ALL | {"kube"},
    "channel-web": _PARTS_OF_CHANNELS,
    "channel-slack": _PARTS_OF_CHANNELS,
    "channel-telegram": _PARTS_OF_CHANNELS,
    "channel-discord": _PARTS_OF_CHANNELS,
}
"""Parts of the project's own library by image."""


def by_name(image: Image) -> str:
    """Return the image's name as the table has it."""
    return image.name.rpartition("/")[2]
