"""A headless browser over the W3C WebDriver protocol, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# https://www.w3.org/TR/webdriver2/#keyboard-actions
KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Space": " ",
    "Escape": "\ue00c",
    "Left": "\ue012",
    "Right": "\ue014",
}


def available() -> bool:
    """True if Chromium and its driver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """One session of a driver at ``base``."""

    def __init__(self, base: str, session: str) -> None:
        self.base = f"{base}/session/{session}"

    def call(self, path: str, body: dict[str, Any]) -> Any:
        return request(f"{self.base}/{path}", body)

    def open(self, page: Path) -> None:
        self.call("url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """Value that ``script`` returns in the page."""
        return self.call("execute/sync", {"script": script, "args": []})

    def point_at(self, x: float, y: float) -> None:
        """Move a real pointer to a place of the window, in CSS pixels."""
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y), "origin": "viewport"}
        self.call("actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def press(self, *keys: str) -> None:
        """Press and release keys one after another; ``KEYS`` names those that are no letters."""
        steps = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    def text(self, selector: str) -> str:
        """Text of the first element for a CSS selector, as it is seen."""
        found = self.call("element", {"using": "css selector", "value": selector})
        shown: str = request(f"{self.base}/element/{next(iter(found.values()))}/text", None, "GET")
        return shown

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(request(f"{self.base}/screenshot", None, "GET"))

    def console(self) -> list[dict[str, Any]]:
        """Messages of the page's console so far."""
        found: list[dict[str, Any]] = self.call("se/log", {"type": "browser"})
        return found


def request(url: str, body: dict[str, Any] | None, method: str = "POST") -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)["value"]


@contextmanager
def browser(
    folder: Path, width: int = 1200, height: int = 900, scripts: bool = True, phone: bool = False
) -> Iterator[Browser]:
    """A fresh browser with its own profile in ``folder``; ``scripts`` false runs none of a page's scripts.

    ``phone`` gives the page itself ``width`` x ``height`` pixels and a touch screen; a window cannot be that narrow.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}", "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        args = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"]
        options: dict[str, Any] = {"args": args, "binary": shutil.which("chromium")}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        if phone:
            metrics = {"width": width, "height": height, "pixelRatio": 2.0, "touch": True}
            options["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = request(f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
        try:
            yield Browser(base, made["sessionId"])
        finally:
            # Ends the browser itself; the driver alone would leave it running.
            request(f"{base}/session/{made['sessionId']}", None, "DELETE")
    finally:
        driver.terminate()
        driver.wait(timeout=20)
