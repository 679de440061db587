"""Every view at both sizes and in both schemes: nothing that axe-core minds, nothing wider than the page."""

import re

from harness import ACME, CHANNELS, GLOBEX, PEOPLE, Axe, Stage, expect
from story import return_address


class Workspace(Stage):
    def setUp(self):
        super().setUp()
        self.axe = Axe(self)

    def view(self, viewer, **place):
        """The same page elsewhere, as an address leads there; on a phone, one column is shown."""
        place = {"as": PEOPLE["Alice"], "in": CHANNELS[GLOBEX], **place}
        words = "&".join(f"{key}={value}" for key, value in place.items())
        viewer.page.evaluate("(hash) => { location.hash = hash; }", words)
        expect(viewer.page.get_by_role("main")).to_be_attached()

    def test_the_workspace(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card google_ads looked_at")
        alice.connect("Google Ads")
        alice.is_green("Google Ads")
        alice.say("/connect-card stripe waits")
        expect(alice.link("Stripe")).to_be_visible()
        alice.message("is connected").get_by_role("button", name="1 reply").click()
        for person, who in PEOPLE.items():
            self.view(alice, **{"as": who, "view": "channel"})
            expect(alice.page.get_by_role("radio", name=person)).to_be_checked()
            self.axe.look(alice.page, f"the story as {person}, with its thread", columns=True)
        self.view(alice, view="workspace")
        self.axe.look(alice.page, "people and places", columns=True)
        alice.switch("Fivetran", "Slow").check()
        alice.switch("Fivetran", "Slow").uncheck()
        bot = alice.tab("Bot")
        bot.get_by_role("button", name="Kill it now").click()
        expect(bot.get_by_text("The next process has taken over.")).to_be_visible()
        for name in ["Wire", "Time", "Faults", "Bot"]:
            panel = alice.tab(name)
            expect(panel).to_be_visible()
            if name == "Wire":
                panel.locator("summary").last.click()
            self.view(alice, panel=name.lower(), view="panel")
            self.axe.look(alice.page, f"the tab {name}", columns=True)

    def test_what_lies_above_it(self):
        alice = self.viewer("Alice")
        alice.field.press_sequentially("/connect-card ")
        expect(alice.page.get_by_role("listbox", name="Suggestions")).to_be_visible()
        self.axe.look(alice.page, "the type-ahead", columns=True)
        alice.say("/connect-card cancel nothing_there")
        alice.say("/connect-card")
        form = alice.page.get_by_role("dialog")
        service, schema = form.get_by_role("combobox", name="Service"), form.get_by_role("textbox", name="Schema")
        service.press_sequentially("hub")
        expect(form.get_by_role("listbox").get_by_role("option")).to_have_count(1)
        self.axe.look(alice.page, "a list of options")
        service.press("ArrowDown")
        service.press("Enter")
        schema.fill("Bad Name")
        form.get_by_role("button", name="Post the link").click()
        expect(schema).to_have_attribute("aria-invalid", "true")
        self.axe.look(alice.page, "a form with an error")
        schema.fill("to_be_asked")
        form.get_by_role("button", name="Post the link").click()
        expect(alice.link("HubSpot")).to_be_visible()
        alice.say("/connect-card cancel to_be_asked")
        alice.messages.get_by_role("button", name="Cancel the connection").click()
        expect(alice.page.get_by_role("dialog")).to_be_visible()
        self.axe.look(alice.page, "a question")

    def test_an_empty_channel(self):
        alice = self.viewer("Alice")
        alice.go(ACME)
        self.axe.look(alice.page, "an empty channel", columns=True)


class Pages(Stage):
    def setUp(self):
        super().setUp()
        self.axe = Axe(self)

    def test_the_card_and_where_it_leads(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card google_ads on_the_card")
        card = alice.open_card("Google Ads")
        landing = alice.page.context.new_page()
        landing.goto(return_address(card.url))
        expect(landing.get_by_role("heading", name="Checking Google Ads")).to_be_visible()
        self.axe.look(landing, "checking")
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        expect(landing.get_by_role("heading", name="Google Ads isn't connected yet")).to_be_visible()
        self.axe.look(landing, "not connected yet")
        expect(card.get_by_role("heading", name="Connect Google Ads")).to_be_visible()
        self.axe.look(card, "the card")
        card.get_by_role("button", name="Let the setup tests fail").click()
        expect(card.get_by_role("heading", name="The setup tests failed")).to_be_visible()
        self.axe.look(card, "the card with failed tests")
        card.get_by_role("button", name="Leave without finishing").click()
        expect(card.get_by_role("heading", name="You left without finishing")).to_be_visible()
        self.axe.look(card, "the card that was left")
        card.get_by_role("link", name="Back to the Connect Card").click()
        card.get_by_role("button", name="Try again: sign in").click()
        expect(card).to_have_title("Google Ads is connected")
        self.axe.look(card, "connected")

        alice.say("/connect-card stripe goes_stale")
        href = alice.link("Stripe").get_attribute("href")
        self.expects(401)
        card.goto(href.replace("auth=", "auth=x"))
        expect(card.get_by_role("heading", name="This link is not valid")).to_be_visible()
        self.axe.look(card, "a card that is not valid")
        for step in ["+1 day", "+1 hour"]:
            alice.tab("Time").get_by_role("button", name=step).click()
        expect(alice.message("The link for Stripe expired")).to_be_visible()
        self.expects(410)
        card.goto(href)
        expect(card.get_by_role("heading", name="This link has expired")).to_be_visible()
        self.axe.look(card, "a card that has expired")
        landing.goto(return_address(href))
        expect(landing.get_by_role("heading", name="Checking Stripe")).to_be_visible()
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        expect(landing.get_by_role("heading", name="Stripe isn't connected")).to_be_visible()
        self.axe.look(landing, "expired")

    def test_the_gallery(self):
        page = self.context().new_page()
        # All of it would take axe-core minutes; each kind is drawn by the same few scripts.
        page.goto(f"{self.sandbox.url}gallery?q=expired&width=phone")
        shown = page.get_by_role("status").filter(has_text=" shown")
        expect(shown).to_have_text(re.compile(r"^\d+ of \d{3} shown"))
        expect(page.get_by_role("group", name="Phone").first).to_be_visible()
        self.axe.look(page, "the gallery")
        page.get_by_role("searchbox").fill("overflow")
        page.get_by_role("tab", name="Beside Slack’s documentation").click()
        specimens = page.get_by_role("tabpanel", name="Beside Slack’s documentation")
        expect(specimens.get_by_role("article").first).to_be_visible()
        self.axe.look(page, "the specimens")


PLANTED = [
    ({"is": "a button without a name", "file": "index.html",
      "text": "</main>", "becomes": '<button type="button"></button></main>'},
     "test_an_empty_channel", "button-name"),
    ({"is": "words that are hardly seen", "file": "base.css",
      "text": ":root {", "becomes": ".hint { color: light-dark(#bbb, #444) !important; }\n:root {"},
     "test_an_empty_channel", "color-contrast"),
    ({"is": "a page that is too wide", "file": "index.html",
      "text": "</main>", "becomes": '<img src="icon.svg" alt="" width="400" height="1"></main>'},
     "test_an_empty_channel", "page.evaluate(TOO_WIDE)"),
]
