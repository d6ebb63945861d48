"""The page in a real browser, by keyboard and by eye."""

import asyncio
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from sympozium.contract.run_events import Delta
from tests.fixtures.nats_server import NatsServer
from tests.web.browser import Page
from tests.web.parts import MemoryRouter, WebProgram, tool

pytestmark = pytest.mark.timeout(20, func_only=True)
"""The first test starts the browser, which a busy machine reads from its disk for longer."""

ANSWER = "document.querySelector('.exchange:last-child .prose')?.innerText"
STATE = "document.querySelector('.exchange:last-child .state')?.className"
FOCUS = "document.activeElement.id"


async def ask(page: Page, text: str) -> None:
    """Write a message and send it."""
    await page.until(f"{FOCUS} === 'message'")
    await page.type(text, Keys.ENTER)


async def test_a_message_sent_by_keyboard_is_answered_piece_by_piece(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "which pods run here?")
    message = await router.next_message(conversation)
    await page.until(f"{STATE} === 'state stored'")
    uid = await router.accept(message)
    await page.until(f"{STATE} === 'state running'")
    await router.say(uid, tool("started"))
    await page.until("document.querySelector('.activity')?.innerText.includes('list_pods')")
    await router.say(uid, tool("done"), Delta(text="There are ", offset=0))
    await page.until(f"{ANSWER} === 'There are'")
    await router.say(uid, Delta(text="**two**", offset=10))
    await page.until(f"{ANSWER} === 'There are two'")
    await router.say(uid, Delta(text="three 🍷", offset=10), Delta(text=" pods", offset=17))
    await page.until(f"{ANSWER} === 'There are three 🍷 pods'")
    await router.finish(message, "There are three pods.")
    await page.until(f"{ANSWER} === 'There are three pods.'")
    assert await page.ask(STATE) == "state done"
    assert "Done in" in await page.text(".state")
    assert message.text == "which pods run here?"
    assert await page.text("#announcer") == "Answer: There are three pods."
    assert await page.complaints() == []


async def test_shift_enter_starts_a_line_and_an_empty_message_is_not_sent(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "   ")
    await page.type("one")
    await page.chord(Keys.SHIFT, Keys.ENTER)
    await page.type("two", Keys.ENTER)
    message = await router.next_message(conversation)
    assert message.text.strip() == "one\ntwo"


async def test_a_reload_keeps_the_conversation_and_what_was_being_written(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "first")
    await router.finish(await router.next_message(conversation), "first answer")
    await page.until(f"{ANSWER} === 'first answer'")
    await page.type("not sent yet")
    await page.reload()
    await page.until("document.querySelectorAll('.exchange').length === 1")
    await page.until(f"{ANSWER} === 'first answer'")
    assert await page.ask("document.querySelector('#message').value") == "not sent yet"
    assert await page.text(".threads a[aria-current]") == "first"


async def test_a_thread_that_is_not_shown_whole_says_so(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    notice = "document.querySelector('#earlier').checkVisibility()"
    await page.open(conversation)
    for text in ("first", "second"):
        await ask(page, text)
        await router.finish(await router.next_message(conversation), f"{text} answer")
        await page.until(f"{ANSWER} === '{text} answer'")
    assert not await page.ask(notice)
    router.max_entries = 2
    await page.reload()
    await page.until(f"{ANSWER} === 'second answer' && {notice}")
    assert await page.ask("document.querySelectorAll('.exchange').length") == 1


async def test_a_reload_in_the_middle_of_an_answer_goes_on_with_it(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "a long one")
    message = await router.next_message(conversation)
    uid = await router.accept(message)
    await page.until(f"{STATE} === 'state running'")
    await router.stream(uid, "Once upon ")
    await page.until(f"{ANSWER} === 'Once upon'")
    await page.reload()
    await page.until("document.querySelectorAll('.exchange').length === 1")
    await page.until(f"{ANSWER} === 'Once upon'")
    await router.say(uid, Delta(text="a time", offset=10))
    await page.until(f"{ANSWER} === 'Once upon a time'")
    await router.finish(message, "Once upon a time.")
    await page.until(f"{STATE} === 'state done'")


async def test_threads_are_made_and_changed_by_keyboard(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "in the first thread")
    await router.next_message(conversation)
    await page.chord(Keys.CONTROL, "k")
    await page.until("document.querySelectorAll('.exchange').length === 0")
    second = await page.ask("location.hash.slice(3)")
    assert second != conversation
    await ask(page, "in the second thread")
    await router.next_message(second)
    await page.type(Keys.ESCAPE)
    await page.type("j")
    await page.until(f"location.hash === '#t/{conversation}'")
    await page.until("document.querySelector('.said')?.innerText === 'in the first thread'")
    await page.type("k")
    await page.until(f"location.hash === '#t/{second}'")
    await page.type("n")
    await page.until("document.querySelector('#empty').hidden === false")
    assert await page.ask(FOCUS) == "message"
    assert await page.ask("document.querySelectorAll('.threads a').length") == 2


async def test_an_example_can_be_asked_by_a_click(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await page.until("document.querySelector('#empty').hidden === false")
    await page.click("#examples button")
    message = await router.next_message(conversation)
    assert message.text == "Which pods run here?"


async def test_an_error_is_shown_with_its_code_and_can_be_asked_again(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "hello")
    failed = await router.next_message(conversation)
    await router.fail(failed, "ModelTimeout", "The model did not answer (run web-x).")
    await page.until(f"{STATE} === 'state failed'")
    shown = await page.text(".problem")
    assert "The model did not answer (run web-x)." in shown
    assert "ModelTimeout" in shown
    await page.click(".again")
    again = await router.next_message(conversation)
    assert again.text == "hello"
    assert again.message_id != failed.message_id


async def test_nothing_in_an_answer_or_a_message_is_obeyed(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    attack = "\n\n".join(
        [
            "<script>window.hit = 1</script>",
            '<img src=x onerror="window.hit = 2">',
            "[click](javascript:window.hit=3) [data](data:text/html,<script>window.hit=4</script>)",
            "[tab](java\tscript:window.hit=5) [upper](JAVASCRIPT:window.hit=6)",
            "![picture](https://evil.example/x.png) ![](javascript:window.hit=7)",
            '[quote](https://ok.example/"onmouseover="window.hit=8)',
            "`<b>code</b>` **<i>bold</i>** | <a href=javascript:window.hit=9>x</a> |",
            "| <svg onload=window.hit=10> | b |\n|---|---|\n| <iframe srcdoc=x> | [l](vbs:x) |",
            "```<script>\n</code></pre><script>window.hit = 11</script>\n```",
            "&lt;script&gt; <https://a.example>",
        ]
    )
    await page.open(conversation)
    await ask(page, "<img src=x onerror='window.hit = 12'>")
    message = await router.next_message(conversation)
    uid = await router.accept(message)
    await router.say(uid, Delta(text=attack, offset=0))
    await router.finish(message, attack)
    await page.until(f"{STATE} === 'state done'")
    links = await page.ask("[...document.querySelectorAll('.prose a')].map((a) => a.protocol)")
    assert set(links) <= {"http:", "https:"}
    rels = await page.ask("[...document.querySelectorAll('.prose a')].map((a) => a.rel)")
    assert set(rels) == {"noopener noreferrer nofollow"}
    made = "document.querySelectorAll('.exchange :is(script, img, iframe, svg, b, i, object)')"
    assert await page.ask(f"{made}.length") == 0
    on = "[...document.querySelectorAll('.exchange *')].flatMap((e) => e.getAttributeNames())"
    assert await page.ask(f"{on}.filter((name) => name.startsWith('on'))") == []
    assert await page.ask("window.hit === undefined")
    assert "<script>window.hit = 1</script>" in await page.ask(ANSWER)
    assert [text for text in await page.complaints() if "evil.example" in text] == []


async def test_markdown_is_shown_as_what_it_means(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    text = (
        "# Title\n\nSome **bold**, *em*, `code`, ~~gone~~ and snake_case_name 2 * 3 * 4.\n\n"
        "- one\n- two\n  - inner\n    more\n\n3. three\n4. four\n\n> quoted\n\n---\n\n"
        "| a | b |\n|:--|--:|\n| 1 | x \\| y |\n\n```py\nif a < b:\n    pass\n```\n\n"
        "[link](https://a.example/x) and https://b.example/y.\n\n```\nnot closed"
    )
    await page.open(conversation)
    await ask(page, "show")
    await router.finish(await router.next_message(conversation), text)
    await page.until(f"{STATE} === 'state done'")
    html = "document.querySelector('.prose')"
    found = {
        name: await page.ask(
            f"[...{html}.querySelectorAll({selector!r})].map((node) => node.textContent)"
        )
        for name, selector in {
            "title": "h3", "bold": "strong", "em": "em", "del": "del", "inline": "p > code",
            "items": "ul > li", "numbers": "ol > li", "quote": "blockquote p", "cells": "td",
            "code": "pre code", "links": "a",
        }.items()
    }  # fmt: skip
    assert found == {
        "title": ["Title"], "bold": ["bold"], "em": ["em"], "del": ["gone"], "inline": ["code"],
        "items": ["one", "twoinnermore", "innermore"], "numbers": ["three", "four"],
        "quote": ["quoted"], "cells": ["1", "x | y"],
        "code": ["if a < b:\n    pass", "not closed"],
        "links": ["link", "https://b.example/y"],
    }  # fmt: skip
    assert await page.ask(f"{html}.querySelector('ol').start") == 3
    assert "snake_case_name 2 * 3 * 4" in await page.text(".prose")


async def test_an_answer_full_of_unclosed_marks_does_not_stop_the_page(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    text = "".join(mark * 8000 for mark in ("[", "**a ", "`b", "_c ", "![", "> ", "| ", "*", "~~"))
    await page.open(conversation)
    await ask(page, "attack")
    await router.finish(await router.next_message(conversation), text)
    await page.until(f"{STATE} === 'state done'")
    await page.until(f"({ANSWER} ?? '').length > 10000")


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_is_wider_than_the_screen(
    page: Page, router: MemoryRouter, conversation: str, width: int
) -> None:
    wide = "w" * 400
    await page.resize(width, 700)
    await page.open(conversation)
    await page.click("#message")
    await ask(page, wide)
    answer = (
        f"{wide}\n\n```\n{wide}\n```\n\n| {wide} | b |\n|---|---|\n| `{wide}` | 2 |\n\n# {wide}"
    )
    await router.finish(await router.next_message(conversation), answer)
    await page.until(f"{STATE} === 'state done'")
    root = "document.documentElement"
    assert await page.ask(f"{root}.scrollWidth <= {root}.clientWidth")
    scroll = "document.querySelector('#scroll')"
    assert await page.ask(f"{scroll}.scrollWidth <= {scroll}.clientWidth")
    outside = (
        f"[...document.querySelectorAll('.exchange > *, .composer, .top')]"
        f".filter((e) => e.getBoundingClientRect().right > {width} + 0.5).length"
    )
    assert await page.ask(outside) == 0


async def test_on_a_phone_the_threads_are_a_drawer(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.resize(390, 844)
    await page.open(conversation)
    assert await page.ask("document.querySelector('#side').inert")
    await page.click("#open-side")
    await page.until(f"{FOCUS} === 'close-side'")
    assert await page.ask("document.querySelector('#main').inert")
    await page.type(Keys.ESCAPE)
    await page.until(f"{FOCUS} === 'open-side'")
    assert await page.ask("document.querySelector('#side').inert")


async def test_a_message_that_was_not_stored_is_kept_and_sent_again_with_its_id(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await page.until("document.querySelector('#empty').hidden === false")
    refuse = {"urls": ["*/messages"]}
    await page.command("Network.enable", {})
    await page.command("Network.setBlockedURLs", refuse)
    await ask(page, "do not lose me")
    await page.until(f"{STATE} === 'state unsent'")
    key = await page.ask("document.querySelector('.exchange').dataset.key")
    await page.reload()
    await page.until(f"{STATE} === 'state unsent'")
    await page.command("Network.setBlockedURLs", {"urls": []})
    await page.click(".again")
    message = await router.next_message(conversation)
    assert message.text == "do not lose me"
    assert message.message_id.endswith(f":{key}")
    await page.until(f"{STATE} === 'state stored'")
    await page.reload()
    await page.until(f"{STATE} === 'state stored'")
    assert await page.ask("document.querySelectorAll('.exchange').length") == 1


async def test_two_tabs_show_the_same_conversation(
    page: Page, router: MemoryRouter, web: WebProgram, conversation: str
) -> None:
    await page.open(conversation)
    await page.until("document.querySelector('#empty').hidden === false")
    await asyncio.sleep(0)  # the other tab is any other client
    from_elsewhere = f"fetch('/api/conversations/{conversation}/messages', {{method: 'POST', "
    from_elsewhere += "headers: {'Content-Type': 'application/json'}, "
    from_elsewhere += "body: JSON.stringify({text: 'from elsewhere', id: 'other'})}), true"
    await page.ask(from_elsewhere)
    message = await router.next_message(conversation)
    await page.until("document.querySelector('.said')?.innerText === 'from elsewhere'")
    await router.finish(message, "seen by both")
    await page.until(f"{ANSWER} === 'seen by both'")


async def test_a_page_that_needs_a_token_asks_for_it_once(
    chromium: WebDriver, web_nats: NatsServer, router: MemoryRouter, tmp_path: Path
) -> None:
    token = "a-token-of-this-test-0123456789"
    environ = {"SYMPOZIUM_WEB_TOKEN": token}
    guarded = WebProgram(web_nats.url, tmp_path / "log", environ=environ)
    await asyncio.to_thread(guarded.start)
    page = Page(chromium, guarded.url)
    dialog = "document.querySelector('#token-dialog').open"
    try:
        await page.resize(1280, 800)
        await page.open("guarded")
        await page.until(dialog)
        await page.type("not-the-token-at-all", Keys.ENTER)
        await page.until(f"{dialog} && document.body.innerText.includes('was not accepted')")
        await page.type(token, Keys.ENTER)
        await page.until(f"!{dialog} && !document.querySelector('#empty').hidden")
        await page.click("#message")
        await ask(page, "hello")
        assert (await router.next_message("guarded")).text == "hello"
        await page.reload()
        await page.until("document.querySelectorAll('.exchange').length === 1")
        assert await page.ask(f"!{dialog}")
    finally:
        await page.leave()
        await asyncio.to_thread(guarded.terminate)


async def test_a_page_whose_server_is_away_says_so_and_goes_on_when_it_is_back(
    chromium: WebDriver, web_nats: NatsServer, router: MemoryRouter, tmp_path: Path
) -> None:
    program = WebProgram(web_nats.url, tmp_path / "log")
    await asyncio.to_thread(program.start)
    page = Page(chromium, program.url)
    banner = "!document.querySelector('#banner').hidden"
    try:
        await page.resize(1280, 800)
        await page.open("away")
        await ask(page, "before")
        message = await router.next_message("away")
        await page.until(f"{STATE} === 'state stored'")
        await asyncio.to_thread(program.kill)
        await page.until(f"{banner} && document.body.innerText.includes('Reconnecting')")
        await router.finish(message, "answered meanwhile")
        await asyncio.to_thread(program.start)
        await page.until(f"{ANSWER} === 'answered meanwhile' && !({banner})")
        assert await page.ask("document.querySelectorAll('.exchange').length") == 1
    finally:
        await page.leave()
        await asyncio.to_thread(program.terminate)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_texts_stand_out_from_what_is_behind_them(
    page: Page, router: MemoryRouter, conversation: str, scheme: str
) -> None:
    await page.prefer(prefers_color_scheme=scheme)
    await page.open(conversation)
    await ask(page, "hello")
    await router.fail(await router.next_message(conversation), "ModelTimeout", "No answer.")
    await page.until(f"{STATE} === 'state failed'")
    weak = await page.ask(CONTRAST)
    assert weak == []
    picture = await page.screenshot()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


CONTRAST = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const weak = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!hasText || !node.checkVisibility() || node.closest(".visually-hidden, .skip")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${node.localName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return weak;
})()"""
