"""A person's browser: Debian's Chromium, driven without blocking the event loop."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

T = TypeVar("T")

CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")
PATIENCE_S = 10.0

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def is_installed() -> bool:
    """Return whether this machine has the browser and its driver."""
    return CHROMIUM.exists() and CHROMEDRIVER.exists()


def start_browser(profile: Path) -> webdriver.Chrome:
    """Start a browser with an empty profile."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))


class Page:
    """The chat page in a browser."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self._driver = driver
        self._url = url

    async def open(self, conversation: str) -> None:
        """Open a conversation, as a link to it would."""
        await self.leave()
        await self._do(lambda driver: driver.get(f"{self._url}/#t/{conversation}"))
        await self.until("document.querySelector('#title') !== null")

    async def leave(self) -> None:
        """Leave the page, so that nothing of it goes on."""
        await self._do(lambda driver: driver.get("about:blank"))

    async def forget(self, origin: str) -> None:
        """Empty the browser's memory of a website."""
        everything = {"origin": origin, "storageTypes": "all"}
        await self.command("Storage.clearDataForOrigin", everything)
        await self.prefer()

    async def reload(self) -> None:
        """Press the browser's reload button."""
        await self._do(lambda driver: driver.refresh())

    async def resize(self, width: int, height: int) -> None:
        """Make the page as wide and high as given, whatever the window may be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.command("Emulation.setDeviceMetricsOverride", metrics)

    async def prefer(self, **features: str) -> None:
        """Set what the reader prefers, as `prefers_color_scheme="dark"`."""
        named = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        await self.command("Emulation.setEmulatedMedia", {"features": named})

    async def command(self, name: str, parameters: dict[str, Any]) -> None:
        """Give the browser a command of its own protocol."""
        await self._do(lambda driver: driver.execute_cdp_cmd(name, parameters))

    async def type(self, *keys: str) -> None:
        """Press keys wherever the focus is."""

        def press(driver: webdriver.Chrome) -> None:
            actions = ActionChains(driver)
            for key in keys:
                actions.send_keys(key)
            actions.perform()

        await self._do(press)

    async def chord(self, held: str, key: str) -> None:
        """Press *key* while another is held."""
        await self._do(
            lambda driver: ActionChains(driver).key_down(held).send_keys(key).key_up(held).perform()
        )

    async def click(self, selector: str) -> None:
        """Click the first element that a CSS selector finds."""
        await self.until(f"document.querySelector({selector!r}) !== null")
        await self._do(lambda driver: driver.find_element("css selector", selector).click())

    async def ask(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        return await self._do(lambda driver: driver.execute_script(f"return ({script})"))

    async def until(self, script: str) -> Any:
        """Wait for a JavaScript expression to be true, and return its value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := await self.ask(script)):
            assert time.monotonic() < deadline, f"never true: {script}\n{await self.text('body')}"
            await asyncio.sleep(0.03)
        return value

    async def text(self, selector: str) -> str:
        """Return what an element shows."""
        return str(await self.ask(f"document.querySelector({selector!r})?.innerText ?? ''"))

    async def screenshot(self) -> bytes:
        """Return a picture of what is visible, as PNG."""
        return await self._do(lambda driver: driver.get_screenshot_as_png())

    async def complaints(self) -> list[str]:
        """Return what the browser's console has said since the last call."""

        def log(driver: webdriver.Chrome) -> list[dict[str, Any]]:
            entries: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call] # selenium
            return entries

        return [str(entry["message"]) for entry in await self._do(log)]

    async def _do(self, action: Callable[[webdriver.Chrome], T]) -> T:
        try:
            return await asyncio.to_thread(action, self._driver)
        except StaleElementReferenceException:
            return await asyncio.to_thread(action, self._driver)
