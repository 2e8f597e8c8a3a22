"""A headless Chromium driven by its DevTools protocol: no driver, no further packages."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
)
PATIENCE = 60
"""Seconds: only a page that hangs takes so long."""


class Browser:
    """One page of one browser: `messages` are what the console said, `requests` the addresses asked for."""

    def __init__(self, profile: Path) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.downloads = profile / "downloads"
        self._profile = profile
        self._last = 0
        self._session: str | None = None

    def __enter__(self) -> Self:
        assert CHROMIUM, "chromium is not installed (Debian: chromium)"
        with ExitStack() as stack:
            command = [CHROMIUM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = stack.enter_context(subprocess.Popen(command, **quiet))
            stack.callback(process.terminate)
            self._socket = stack.enter_context(connect(self._address(process), max_size=None, proxy=None))
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
            self.downloads.mkdir()
            self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
            self.size(1280, 900)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _address(self, process: subprocess.Popen[bytes]) -> str:
        port = self._profile / "DevToolsActivePort"
        started = time.monotonic()
        while not port.exists() or len(port.read_text().splitlines()) < 2:
            assert process.poll() is None, "chromium ended at once"
            assert time.monotonic() - started < PATIENCE, "chromium does not start"
            time.sleep(0.05)
        number, path = port.read_text().splitlines()[:2]
        return f"ws://127.0.0.1:{number}{path}"

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the protocol and return the answer; events on the way are kept."""
        self._last += 1
        call = {"id": self._last, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            call["sessionId"] = self._session
        self._socket.send(json.dumps(call))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._keep(answer)

    def _keep(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.messages.append(
                    " ".join(str(each.get("value", each.get("description"))) for each in about["args"])
                )
            case "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                self.messages.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded":
                self.messages.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, why: str = "") -> None:
        """Wait until a JavaScript expression is true."""
        started = time.monotonic()
        while not self.run(condition):
            assert time.monotonic() - started < PATIENCE, (
                f"still not true: {why or condition}\n{self.messages}"
            )
            time.sleep(0.03)

    def open(self, folder: Path, route: str) -> None:
        """Open a view of an explorer in a folder, from disk, and wait until it is drawn."""
        self.send("Page.navigate", url="about:blank")
        self.wait('location.href === "about:blank"')
        self.send("Page.navigate", url=f"{(folder / 'index.html').as_uri()}#{route}")
        self.wait("Boolean(document.documentElement?.dataset.view)", f"{route} is drawn")
        self.settle()

    def go(self, route: str) -> None:
        """Go to another view of the open page."""
        before = self.run("document.documentElement.dataset.view")
        self.run(f"location.hash = {json.dumps('#' + route)}")
        self.wait(f"document.documentElement.dataset.view !== {json.dumps(before)}", f"{route} is drawn")
        self.settle()

    def settle(self) -> None:
        """Wait for two frames: what was put off to the next one is drawn."""
        self.run(
            "new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(end))))"
        )

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window, and the colours that the reader prefers."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **window)
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def text(self, selector: str) -> str:
        """Return the text of the first element that fits."""
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that fit."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.textContent)"
        )

    def links(self, selector: str) -> list[str]:
        """Return where all links that fit lead to."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.getAttribute('href'))"
        )

    def count(self, selector: str) -> int:
        """Return how many elements fit."""
        return self.run(f"document.querySelectorAll({json.dumps(selector)}).length")

    def press(self, label: str) -> None:
        """Click the button whose label, or text, starts so."""
        self.run(
            "[...document.querySelectorAll('button')].find((button) => (button.getAttribute('aria-label') ?? "
            f"button.textContent).startsWith({json.dumps(label)})).click()"
        )
        self.settle()

    def fill(self, selector: str, value: str) -> None:
        """Put a value into the first field that fits, as a reader would who leaves it then."""
        self.run(
            f"(() => {{ const field = document.querySelector({json.dumps(selector)}); "
            f"field.value = {json.dumps(value)}; field.dispatchEvent(new Event('change')); }})()"
        )
        self.settle()

    def point(self, x: float, y: float, kind: str = "mouseMoved", **more: Any) -> None:
        """Move the pointer, or press and release it: `kind` mousePressed, mouseReleased."""
        pressed = {} if kind == "mouseMoved" and not more else {"button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **{**pressed, **more})

    def scroll_to(self, selector: str) -> None:
        """Bring the first element that fits into the middle of the window."""
        node = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{node}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.settle()  # scrolling hides what hangs over the page

    def box(self, selector: str) -> dict[str, float]:
        """Return x, y, width and height of the first element that fits, scrolled into view."""
        self.scroll_to(selector)
        return self.run(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")

    def click(self, selector: str) -> None:
        """Click the middle of the first element that fits."""
        box = self.box(selector)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.point(x, y)
        self.point(x, y, "mousePressed")
        self.point(x, y, "mouseReleased")
        self.settle()

    def key(self, key: str) -> None:
        """Press a key: a letter, or a name such as `Enter`."""
        codes = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39}
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        about = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save a picture of the window, or of the whole page."""
        more: dict[str, Any] = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            more["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **more)["data"]))
