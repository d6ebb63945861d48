"""The chat platforms, found by their packages: every `sympozium_<name>` that can be checked."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import cast

from sympozium.chat.account import PlatformInfo
from sympozium.chat.checks import Account, Finding
from sympozium.contract.errors import PermanentError

_PREFIX = "sympozium_"


def platform_names() -> list[str]:
    """Return the names of the platforms that are installed here."""
    names = (module.name for module in pkgutil.iter_modules() if module.name.startswith(_PREFIX))
    return sorted(name.removeprefix(_PREFIX) for name in names if _is_platform(name))


def platform_info(name: str) -> PlatformInfo:
    """Return a platform by its name.

    Raises:
        PermanentError: There is none of that name.
    """
    names = platform_names()
    if name not in names:
        raise PermanentError(
            f"cannot find platform {name!r}: those that are here are {', '.join(names)}"
        )
    module = importlib.import_module(f"{_PREFIX}{name}.setup")
    return cast(PlatformInfo, module.PLATFORM)


def setup_steps(info: PlatformInfo, channel: str, transport: str) -> str:
    """Return the exact steps by which a person makes a bot account at the platform."""
    module = importlib.import_module(f"{_PREFIX}{info.name}.setup")
    return cast(str, module.steps(channel, transport=transport))


def check_account(info: PlatformInfo, account: Account) -> list[Finding]:
    """Look at a bot account by calling its platform.

    What the platform answers, also that it does not answer, is among the findings.
    """
    import asyncio

    module = importlib.import_module(f"{_PREFIX}{info.name}.checks")
    check = cast(Callable[[Account], Awaitable[list[Finding]]], module.check_account)

    async def checked() -> list[Finding]:
        return await check(account)

    return asyncio.run(checked())


def _is_platform(package: str) -> bool:
    try:
        return find_spec(f"{package}.checks") is not None
    except ImportError:  # a package that cannot be imported here cannot be set up here
        return False
