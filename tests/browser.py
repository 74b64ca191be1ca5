"""A real Chromium, driven over a pipe, and what is asked of every page that is made here."""

import json
import os
import shutil
import subprocess
import sys

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
TAKES_THE_PIPE = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """Chromium without a window, spoken to in the DevTools protocol: JSON with a zero byte after each message."""

    def __init__(self, home):
        read_theirs, write_ours = os.pipe()
        read_ours, write_theirs = os.pipe()
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={home}")
        words = [sys.executable, "-c", TAKES_THE_PIPE, str(read_theirs), str(write_theirs), CHROMIUM, *flags]
        self.process = subprocess.Popen(
            words,
            pass_fds=(read_theirs, write_theirs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_theirs)
        os.close(write_theirs)
        self.out, self.inside = os.fdopen(write_ours, "wb"), os.fdopen(read_ours, "rb")
        self.left_over, self.number, self.session, self.events = b"", 0, None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        """Send a command and return its result."""
        self.number += 1
        where = {"sessionId": self.session} if self.session else {}
        self.out.write(json.dumps({"id": self.number, "method": method, "params": params, **where}).encode() + b"\0")
        self.out.flush()
        while (message := self._next()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def _next(self):
        while b"\0" not in self.left_over:
            read = self.inside.read1(1 << 20)
            assert read, "Chromium has ended"
            self.left_over += read
        message, _, self.left_over = self.left_over.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """Return what ``script``, an expression, gives in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def look(self, width=1400, height=900, scheme="light", media="", *, scripts=True):
        """Take a window of that size and colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, place, fragment=""):
        """Load a file, with what happens on the way in ``events``."""
        for url in ("about:blank", place.as_uri() + fragment):
            self.events = []
            self.ask("Page.navigate", url=url)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self.events.append(self._next())

    def close(self):
        self.out.close()
        self.process.wait(20)
        self.inside.close()


OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
A_MOMENT = "new Promise((done) => setTimeout(done, 50))"
CONTRASTS = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parts = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parts(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script")) continue;
    const front = parts(getComputedStyle(element).color), back = behind(element);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    found[`${front} on ${back}`] = (a + 0.05) / (b + 0.05);
  }
  return found;
})()"""
SAID = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
"""Events of a page that complains."""
