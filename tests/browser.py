"""A headless Chromium, driven over a pipe by the DevTools protocol and the standard library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

WITH_PIPES = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which looks for its two pipes at 3 and 4."""


class Browser:
    """One page of a browser.

    Attributes:
        errors: what the page said of errors, warnings included.
        requests: addresses that the page asked for.
    """

    def __init__(self, program: str, folder: Path) -> None:
        to_browser, from_us = os.pipe()
        to_us, from_browser = os.pipe()

        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", WITH_PIPES, str(to_browser), str(from_browser)),
                *(program, *QUIET, f"--user-data-dir={folder}", "about:blank"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_browser, from_browser),
        )
        os.close(to_browser)
        os.close(from_browser)
        self._out = os.fdopen(from_us, "wb", buffering=0)
        self._in = os.fdopen(to_us, "rb")
        self._number = 0
        self._session: str | None = None
        self._rest = b""
        self._loaded = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        (target,) = (
            of["targetId"]
            for of in self.ask("Target.getTargets")["targetInfos"]
            if of["type"] == "page"
        )
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and give its result; what happens meanwhile is noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            told = self._read()
            if told.get("id") == self._number:
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._in.fileno(), 1 << 20)
            assert read, "the browser ended"
            self._rest += read
        text, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(text)
        self._note(told.get("method", ""), told.get("params", {}))
        return told

    def _note(self, event: str, of: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(str(of["exceptionDetails"].get("exception", of)))
        elif event == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning", "assert"):
            self.errors.append(str(of["args"]))
        elif event == "Log.entryAdded":
            self.errors.append(of["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(of["request"]["url"])
        elif event == "Page.loadEventFired":
            self._loaded += 1

    def open(self, page: Path, width: int = 1300) -> None:
        """Open a file and wait until it has loaded."""
        self.errors.clear()
        self.requests.clear()
        self.resize(width)
        before = self._loaded
        self.ask("Page.navigate", url=page.as_uri())
        while self._loaded == before:
            self._read()

    def resize(self, width: int, height: int = 900) -> None:
        """Make the window so wide."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name: str) -> None:
        """Prefer light or dark colours."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """The value of an expression of the page's language."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, kind: str, x: float, y: float) -> None:
        """Let the mouse press, move or release: `mousePressed`, `mouseMoved`, `mouseReleased`."""
        button = {"button": "left", "buttons": 1, "clickCount": 1} if kind != "mouseMoved" else {}
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def key(self, name: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def picture(self, path: Path, clip: str = "") -> None:
        """Write a PNG of the page, or of the element that a selector names."""
        of = f"document.querySelector({json.dumps(clip or 'html')}).getBoundingClientRect()"
        box = self.run(
            f"(b => ({{x: b.x, y: b.y + scrollY, width: b.width, height: b.height}}))({of})"
        )
        told = self.ask(
            "Page.captureScreenshot", captureBeyondViewport=True, clip={**box, "scale": 1}
        )
        path.write_bytes(base64.b64decode(told["data"]))

    def close(self) -> None:
        """End the browser."""
        try:
            self._session = None
            self.ask("Browser.close")
        except (AssertionError, OSError):
            self._process.kill()
        self._process.wait(30)
        self._out.close()
        self._in.close()


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser that ends with the block; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser: install one of {', '.join(NAMES)}, such as Debian's chromium")
    made = Browser(program, folder)
    try:
        yield made
    finally:
        made.close()
