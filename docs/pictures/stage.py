"""The sandbox and the browser that the pictures are taken in.

Owns how both are started and stopped, and what makes every machine's pictures alike: size, fonts, time
zone, hour. Must not know what a picture shows.
"""

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
ZONE = "Europe/London"
# What the clock shows in every picture.
HOUR = 10
SCALE = 2
# Milliseconds for a state to come about: much more than any machine needs.
PATIENCE = 60_000
SANS, MONO = "Inter", "JetBrains Mono"
# The page's fonts are the system's. In a picture they are these, on pages of the stand-ins too.
FONTS = f"""
addEventListener("DOMContentLoaded", () => {{
  document.documentElement.style.setProperty("--sans", "'{SANS}', sans-serif");
  document.documentElement.style.setProperty("--mono", "'{MONO}', monospace");
  document.body.style.fontFamily = "'{SANS}', sans-serif";
}});
"""
# The steps for a first visit would fill half of a picture.
NO_GUIDE = "try { localStorage.setItem('connect-card-guide-put-away', 'yes'); } catch { /* a page without storage */ }"


def binary():
    """The newest build of the bot."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for kind in ("release", "debug") if (path := target / kind / "connect-card").is_file()]
    if not built:
        sys.exit("connect-card isn't built yet: cargo build")
    return max(built, key=lambda path: path.stat().st_mtime)


def chromium():
    """The system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None) or sys.exit("There's no Chromium on the PATH.")


def check_fonts():
    """Other fonts would make other pictures."""
    for family, package in ((SANS, "fonts-inter"), (MONO, "fonts-jetbrains-mono")):
        match = subprocess.run(["fc-match", "-f", "%{family}", family], capture_output=True, text=True, check=True)
        if family not in match.stdout.split(","):
            sys.exit(f"The font {family} isn't installed. On Debian it is in {package}.")


class Sandbox:
    """A running sandbox."""

    def __enter__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([binary(), "sandbox"], stdin=pipe, stdout=pipe, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", line):
                self.url = found[0]
                return self
        sys.exit("The sandbox has printed no address.")

    def __exit__(self, *_):
        # It reads this line before it stops, and prints what is left of its story.
        self.process.communicate("quit\n")


class Stage:
    """A sandbox with a browser before it, in light or dark colours."""

    def __init__(self, scheme):
        self.scheme = scheme

    def __enter__(self):
        check_fonts()
        self.playwright = sync_playwright().start()
        # As root, as in a container, Chromium has no sandbox of its own.
        args = ["--font-render-hinting=none", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        self.browser = self.playwright.chromium.launch(executable_path=chromium(), args=args)
        expect.set_options(timeout=PATIENCE)
        # Last, because it would go on alone if something else didn't start.
        self.sandbox = Sandbox().__enter__()
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.playwright.stop()
        self.sandbox.__exit__()

    def open(self, width, height, place="", scale=SCALE):
        """The sandbox's page in a window of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            timezone_id=ZONE,
            locale="en-GB",
            color_scheme=self.scheme,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        context.add_init_script(FONTS + NO_GUIDE)
        page = context.new_page()
        page.goto(f"{self.sandbox.url}{place}")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        return page

    def ask(self, page, name, /, **body):
        """Asks the sandbox for something that the page could ask for."""
        url = self.sandbox.url
        origin = "/".join(url.split("/")[:3])
        answer = page.request.post(f"{url}{name}", data=body, headers={"Origin": origin})
        if not answer.ok:
            sys.exit(f"{name}: {answer.text()}")

    def to_the_hour(self, page):
        """Moves the sandbox's clock to the next time that it is ten in London."""
        now = datetime.now(ZoneInfo(ZONE))
        then = now.replace(hour=HOUR, minute=0, second=5, microsecond=0)
        then += timedelta(days=1 if then <= now else 0)
        self.ask(page, "clock", seconds=int((then - now).total_seconds()))
