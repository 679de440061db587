"""Starts a sandbox and a browser, and lets people into them; what the stories share.

Owns the started processes and the rules that hold on every page: no error on the console, nothing from
another host, nothing that the page's policy forbids. Must not know any story.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
import unittest
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# How long a page may take to show what it must, in ms. It only bounds a failure: what is shown is seen at once.
PATIENCE_MS = int(os.environ.get("PAGE_PATIENCE_MS", "30000"))
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
PEOPLE = {"Alice": "U0ALICE", "Bob": "U0BOB", "Grace": "U0OUTSIDER"}
# The channel that all three share, and the one that Grace is not in.
GLOBEX, ACME = "ext-globex", "customer-acme"
CHANNELS = {GLOBEX: "C0GLOBEX", ACME: "C0CUSTOMER"}
# What a browser says aloud of what its policy forbids, which some of it would only count.
SAY_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`forbidden by ${event.effectiveDirective}: ${event.blockedURI}`))"""

for name in ["http_proxy", "https_proxy", "all_proxy"]:
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


def chromium():
    """Where Chromium is."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if not found:
        sys.exit("There is no Chromium: install it (on Debian: apt-get install chromium), or say where it is in CHROMIUM.")
    return found


def program():
    """Where connect-card is: as told, or as it was built last."""
    if told := os.environ.get("CONNECT_CARD"):
        return told
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for kind in ["debug", "release"] if (path := target / kind / "connect-card").exists()]
    if not built:
        sys.exit("connect-card is not built: cargo build, or say where it is in CONNECT_CARD.")
    return str(max(built, key=lambda path: path.stat().st_mtime))


@functools.cache
def axe():
    """The text of axe-core."""
    [folder] = find_spec("axe_playwright_python").submodule_search_locations
    return (Path(folder) / "axe.min.js").read_text()


class Sandbox:
    """A sandbox that runs, with the address of its page."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._process = subprocess.Popen([program(), "sandbox"], text=True, **pipes)
        said = []
        for line in self._process.stdout:
            said.append(line)
            if found := re.fullmatch(r"\s*(http://127\.0\.0\.1:\d+/[\w-]+/)\s*", line):
                self.url = found[1]
                break
        else:
            raise AssertionError("the sandbox ended: " + "".join(said))
        # Whatever else it says must not fill the pipe.
        self._rest = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._rest.start()

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._rest.join()
        self._process.stdin.close()
        self._process.stdout.close()


class Stage(unittest.TestCase):
    """Tests with one sandbox and one browser between them; each has pages of its own."""

    # What shall be wrong from the start on, for a check of this check: a file of the page, a text in
    # it, and what stands there instead.
    fault = None

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.stop)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        args = ["--no-sandbox"] if os.geteuid() == 0 else []
        cls.browser = playwright.chromium.launch(executable_path=chromium(), args=args)
        cls.addClassCleanup(cls.browser.close)
        expect.set_options(timeout=PATIENCE_MS)

    def setUp(self):
        self.troubles = []
        self._expected = []

    def tearDown(self):
        self.assertEqual(self.troubles, [], "what the pages said or asked for")

    def context(self, **settings):
        """A browser of somebody's own, with an eye on all that its pages do."""
        settings = {"viewport": DESKTOP, "reduced_motion": "reduce", **settings}
        context = self.browser.new_context(**settings)
        self.addCleanup(context.close)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(SAY_VIOLATIONS)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        context.on("request", self._asked)
        if self.fault and "file" in self.fault:
            # The page itself is asked for without a name.
            name = "" if self.fault["file"] == "index.html" else self.fault["file"]
            context.route(self.sandbox.url + name, self._plant)
        return context

    def expects(self, status):
        """From now on, a page that is answered with this status is as it should be."""
        self._expected.append(f"responded with a status of {status} ")

    def _heard(self, message):
        is_expected = any(status in message.text for status in self._expected)
        if message.type == "error" and not is_expected:
            self.troubles.append(f"{message.text} ({message.location['url']})")

    def _asked(self, request):
        address = urlsplit(request.url)
        if address.scheme != "data" and address.hostname != "127.0.0.1":
            self.troubles.append(f"asked {request.url}")

    def _plant(self, route):
        answer = route.fetch()
        text = answer.text()
        if self.fault["text"] not in text:
            raise AssertionError(f"{self.fault['file']} has no {self.fault['text']}")
        route.fulfill(response=answer, body=text.replace(self.fault["text"], self.fault["becomes"]))

    def viewer(self, person="Alice", channel=GLOBEX, **settings):
        """Somebody who looks at a channel, in a browser of their own."""
        page = self.context(**settings).new_page()
        page.goto(f"{self.sandbox.url}#as={PEOPLE[person]}&in={CHANNELS[channel]}")
        return Viewer(page, channel)

    def all_three(self):
        return [self.viewer(person) for person in PEOPLE]


class Viewer:
    """Somebody at the page, by the roles and names that the page gives to what is on it."""

    def __init__(self, page, channel):
        self.page = page
        self.field = page.get_by_role("textbox", name=f"Message #{channel}")
        self.messages = page.get_by_role("region", name="Messages")
        expect(self.field).to_be_visible()

    def say(self, text):
        self.field.fill(text)
        self.field.press("Enter")
        expect(self.field).to_have_value("")

    def go(self, channel):
        self.page.get_by_role("navigation", name="Workspace").get_by_role("button", name=channel).click()
        self.field = self.page.get_by_role("textbox", name=f"Message #{channel}")
        expect(self.field).to_be_visible()

    def be(self, person):
        self.page.get_by_role("radio", name=person).check()

    def message(self, text):
        """The messages in the channel that say this, replies excepted."""
        return self.messages.locator("article:not(.replies article)").filter(has_text=text)

    def private(self, text):
        return self.message(text).filter(has_text="Only visible to you")

    def link(self, service):
        return self.messages.get_by_role("link", name=f"Connect {service}")

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()
        return self.page.get_by_role("tabpanel", name=name)

    def switch(self, party, label):
        """A switch of the Faults tab, which opens for it."""
        return self.tab("Faults").get_by_role("group", name=party).get_by_role("switch", name=label)

    def open_card(self, service):
        """Clicks the link's button, and has the page that opens."""
        with self.page.expect_popup() as opened:
            self.link(service).click()
        return opened.value

    def connect(self, service):
        """Signs in at the card, as its customer, and comes back."""
        card = self.open_card(service)
        card.get_by_role("button", name="Sign in").click()
        expect(card).to_have_title(f"{service} is connected")
        card.close()

    def wait(self, seconds):
        """Lets time go by in the sandbox, by less than the page has a button for."""
        ask = """(seconds) => fetch("clock", { method: "POST", body: JSON.stringify({ seconds }) }).then(({ ok }) => ok)"""
        if not self.page.evaluate(ask, seconds):
            raise AssertionError("the time stands still")

    def is_green(self, service):
        expect(self.message(f"✅ {service} is connected")).to_be_visible()


class Axe:
    """axe-core and the width, at both sizes and in both schemes."""

    def __init__(self, case):
        self._case = case

    def look(self, page, name, columns=False):
        """All rules in light, and on a phone where it shows other things; in dark, the colours, which do
        not depend on the size."""
        looks = [(DESKTOP, "light", True), (DESKTOP, "dark", True), (PHONE, "light", columns), (PHONE, "dark", False)]
        for size, scheme, asks in looks:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            # Even without motion, colours are as they were until the next frame.
            page.evaluate(NEXT_FRAME)
            with self._case.subTest(f"{name}, {size['width']} px, {scheme}"):
                self._case.assertEqual(page.evaluate(TOO_WIDE), [])
                self._case.assertEqual(faults_of(page, scheme) if asks else [], [])
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")


NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# The list above the field scrolls by the arrow keys, which move what is chosen in it; axe-core looks
# for another pattern, which a text of several lines may not have.
SCROLLS_BY_ARROWS = ("scrollable-region-focusable", 'id="suggestions"')
UNFOLD = "() => document.querySelectorAll('.folded').forEach((one) => one.classList.remove('folded'))"
# What sticks out at the page's end, if anything does.
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [document.documentElement.scrollWidth]"""


def faults_of(page, scheme):
    """What axe-core finds wrong. Only the colours depend on the scheme."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe())
    which = {"preload": False, "resultTypes": ["violations"]}
    if scheme == "dark":
        which["runOnly"] = ["color-contrast"]
        # What is folded away is measured against what lies behind it, so it is shown.
        page.evaluate(UNFOLD)
    found = page.evaluate("(which) => axe.run(document, which)", which)["violations"]
    said = [(one["id"], node["html"]) for one in found for node in one["nodes"]]
    rule, element = SCROLLS_BY_ARROWS
    return [f"{by}: {html}" for by, html in said if by != rule or element not in html]
