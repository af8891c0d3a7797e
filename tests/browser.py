"""Headless Chromium: what a page says on its console and how wide it is, and a person who clicks in it."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0",
)  # fmt: skip

# A window has a least width, a frame has not; the page itself is opened as it is.
WRAPPER = """<!DOCTYPE html><body style="margin: 0">
<iframe src="{source}" style="border: 0; width: {width}px; height: 900px"></iframe><pre id="found"></pre><script>
addEventListener("load", () => {{
  const inner = document.querySelector("iframe").contentWindow, page = inner.document;
  const all = (what) => [...page.querySelectorAll(what)];
  document.querySelector("#found").textContent = JSON.stringify({{
    window: inner.innerWidth,
    page: page.documentElement.scrollWidth,
    outside: all("body *").filter((e) => !e.closest(".scroll, pre, details:not([open]), svg") &&
      e.getBoundingClientRect().right > inner.innerWidth + 1).map((e) => e.outerHTML.slice(0, 120)),
    tables: all("table").filter((e) => e.getBoundingClientRect().width > 0).length,
    rows: all("#ranking + .scroll tbody tr").length,
    figures: all(".figures svg").map((e) => [e.getBoundingClientRect().width, e.getBoundingClientRect().height]),
    pictures: all("img").map((e) => [e.complete, e.naturalWidth, e.getBoundingClientRect().width]),
    ink: inner.getComputedStyle(page.querySelector("svg text") || page.body).fill,
    background: inner.getComputedStyle(page.body).backgroundColor,
  }});
}});
</script>"""


def find():
    """The path of a Chromium; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no headless browser here ({', '.join(NAMES)}): the page is not opened")
    return found


def measure(page, width, folder, dark=False):
    """Opens a page in a frame `width` pixels wide; returns `(what was measured, console messages)`."""
    wrapper = folder / f"wrapper_{width}.html"
    wrapper.write_text(WRAPPER.format(source=page.as_uri(), width=width))
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    profile = f"--user-data-dir={folder / f'profile_{width}_{dark}'}"
    command = [find(), *FLAGS, scheme, profile, "--window-size=1500,1000", "--dump-dom", wrapper.as_uri()]
    out, err = _said(command)
    found = re.search(r'<pre id="found">(.+?)</pre>', out, re.DOTALL)
    assert found, out[-500:] + err[-2000:]
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(text), [line for line in err.splitlines() if "CONSOLE" in line]


def _said(command, seconds=240):
    """`(stdout, stderr)` of a browser; one that hangs is ended with its children, which hold the pipes open."""
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen(command, **pipes, start_new_session=True)
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


class Person:
    """Opens a page, clicks and types, through chromedriver's protocol (W3C WebDriver); use it in `with`.

    Args:
        folder: for the browser's profile.
        width, height: of the window, in pixels.
        dark: whether the reader likes dark pages.
    """

    def __init__(self, folder, width=1400, height=900, dark=False):
        driver = shutil.which("chromedriver")
        if driver is None:
            pytest.skip("no chromedriver here: nobody clicks")
        self._driver = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started = next(line for line in self._driver.stdout if "started successfully" in line)
        self._place = f"http://127.0.0.1:{re.search('port ([0-9]+)', started)[1]}/session"
        flags = [
            *FLAGS[:-2],
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--user-data-dir={folder}",
        ]
        chrome = {"binary": find(), "args": flags}
        wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._ask("", {"capabilities": {"alwaysMatch": wanted}})
        self._place += f"/{answer['sessionId']}"
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._ask("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ask("", method="DELETE")
        self._driver.terminate()
        self._driver.wait()
        self._driver.stdout.close()

    def _ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._place + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.loads(error.read())["value"]["message"]) from error

    def open(self, address):
        self._ask("/url", {"url": address})

    def _element(self, selector):
        found = self._ask("/element", {"using": "css selector", "value": selector})
        return f"/element/{next(iter(found.values()))}"

    def click(self, selector):
        self._ask(f"{self._element(selector)}/click", {})

    def type(self, selector, text):
        """Types into a field, whose text goes first; or keys, where it has none."""
        self._ask(f"{self._element(selector)}/value", {"text": text})

    def clear(self, selector):
        self._ask(f"{self._element(selector)}/clear", {})

    def run(self, script, *arguments):
        """What a script returns."""
        return self._ask("/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, seconds=90):
        """Waits until an expression is true; returns its value."""
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < end, (script, self.run("return document.body.innerText"))
            time.sleep(0.02)
        return found

    def console(self):
        """What the page has written there, and requests that failed."""
        return [line["message"] for line in self._ask("/se/log", {"type": "browser"})]

    def picture(self, path):
        """Writes a PNG of the window."""
        path.write_bytes(base64.b64decode(self._ask("/screenshot")))
