"""A page in headless Chromium: what it says on its console, and how wide it is."""

import json
import re
import shutil
import subprocess

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
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-500:] + done.stderr[-2000:]
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(text), [line for line in done.stderr.splitlines() if "CONSOLE" in line]
