"""A real browser without a window, driven by its DevTools protocol; what it asks for and complains of is kept."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support import processes

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1400,1000",
)
START_S: Final = 30.0
WAIT_S: Final = 20.0
CONTROL_A: Final = {
    "modifiers": 2,
    "key": "a",
    "code": "KeyA",
    "windowsVirtualKeyCode": 65,
    "commands": ["selectAll"],
}
ERRORS: Final = frozenset({"error", "assert"})


def browser_path() -> str | None:
    """The browser of this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass(slots=True)
class Page:
    """One tab. requests: every URL it asked for; complaints: errors of its console, its scripts and its policy."""

    socket: aiohttp.ClientWebSocketResponse
    session_id: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)

    async def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol; its result."""
        number = next(self._ids)
        self._waiting[number] = answer = asyncio.get_running_loop().create_future()
        told = {"id": number, "method": method, "params": params}
        await self.socket.send_json(told | ({"sessionId": self.session_id} if self.session_id else {}))
        return await asyncio.wait_for(answer, WAIT_S)

    async def listen(self) -> None:
        """Take what the browser tells, until it is closed."""
        async for message in self.socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answered(told)
            else:
                self._noted(told["method"], told["params"])

    def _answered(self, told: dict[str, Any]) -> None:
        waiting = self._waiting.pop(told["id"])
        if "error" in told:
            waiting.set_exception(RuntimeError(told["error"]["message"]))
        elif not waiting.done():
            waiting.set_result(told["result"])

    def _noted(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ERRORS:
                self.complaints.append(json.dumps(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ERRORS:
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def visit(self, url: str) -> None:
        """Open that URL."""
        answer = await self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer

    async def evaluate(self, script: str) -> Any:
        """The value of that expression in the page, of a promise what it is resolved to."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Return once that expression is true, or anything that JavaScript takes for it."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self.evaluate(f"!!({script})"):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = await self.evaluate("document.body.innerText")
            raise AssertionError(f"never true: {script}\n{self.complaints}\n{text}") from None

    async def click(self, selector: str) -> None:
        """Click the first element of that CSS selector, once it is there."""
        await self._when_there(selector, "click")

    async def focus(self, selector: str) -> None:
        """Put the cursor into the first element of that CSS selector, once it is there."""
        await self._when_there(selector, "focus")

    async def _when_there(self, selector: str, action: str) -> None:
        found = f"document.querySelector({json.dumps(selector)})"
        await self.until(found)
        await self.evaluate(f"{found}.{action}()")

    async def write(self, text: str) -> None:
        """Type the text where the focus is, in place of what is there."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, **CONTROL_A)
        await self.call("Input.insertText", text=text)


@asynccontextmanager
async def a_page(binary: str, folder: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, with an empty profile in that folder; both are gone at the end."""
    profile = folder / "profile"
    process = processes.start(
        [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"], {"HOME": str(folder)}, folder / "browser.log"
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = await _until_listening(profile / "DevToolsActivePort")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                await _opened(page)
                yield page
                await socket.close()
                await listening
    finally:
        processes.stop(process)


async def _opened(page: Page) -> None:
    target = await page.call("Target.createTarget", url="about:blank")
    attached = await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    page.session_id = attached["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        await page.call(f"{domain}.enable")


async def _until_listening(port_file: Path) -> str:
    async with asyncio.timeout(START_S):
        while not port_file.exists() or "\n" not in port_file.read_text():
            await asyncio.sleep(0.05)
    port, path = port_file.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{path}"
