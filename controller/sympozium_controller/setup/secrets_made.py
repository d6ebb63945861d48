"""Filling a Secret once, however many try, and never changing what is in it."""

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable, Mapping

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import SECRETS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
RETRY_S = 0.5

Keys = Mapping[str, str]
Make = Callable[[Keys], Keys]
"""Is given the keys that are there, and returns all that are wanted, those among them."""


def new_password() -> str:
    """Return a password that means the same in a URL, in YAML and in a configuration file.

    It begins with a letter: `7e10` would be a number to some of those who read it.
    """
    return "p" + secrets.token_hex(24)


async def fill(kube: Kube, namespace: str, name: str, make: Make) -> Keys:
    """Make the Secret *name* hold all keys that *make* wants; return what it holds.

    What it holds already stays. Of several that fill it at once one wins, and the
    others return what that one wrote.

    Raises:
        PermanentError: There is no such Secret, we may not write it, or the API server did
            not do it for a minute.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _fill(kube, namespace, name, make)
    except TimeoutError:
        raise PermanentError(
            f"cannot fill Secret '{namespace}/{name}': the API server did not do it within "
            f"{PATIENCE_S:.0f} s"
        ) from None


async def _fill(kube: Kube, namespace: str, name: str, make: Make) -> Keys:
    while True:
        try:
            held = await kube.get(SECRETS, namespace, name)
            known = _read(held)
            wanted = make(known)
            if wanted == known:
                return known
            await kube.replace(SECRETS, _with(held, wanted))
        except NotFoundError as error:
            raise PermanentError(
                f"cannot fill Secret '{namespace}/{name}': it is not there; install the chart anew"
            ) from error
        except TransientError as error:
            log.info("secret not filled yet", extra={"action": "retry", "cause": str(error)})
            await asyncio.sleep(RETRY_S)
        else:
            log.info("secret filled", extra={"action": "create", "secret": name})
            return wanted


def _read(secret: Object) -> dict[str, str]:
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items() if value}


def _with(secret: Object, keys: Keys) -> Object:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in keys.items()}
    return {**secret, "data": data}
