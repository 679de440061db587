"""The bot dies in the middle of a step, and what people see is true: each link comes once."""

import re

from harness import Stage, expect


class Killed(Stage):
    def arm(self, viewer):
        bot = viewer.tab("Bot")
        kill = bot.get_by_role("button", name="Kill it in the middle of its next step")
        expect(kill).to_be_enabled()
        process = bot.get_by_text(re.compile(r"process \d+")).inner_text()
        kill.click()
        expect(bot.get_by_text("Armed", exact=True)).to_be_visible()
        return bot, process

    def comes_back(self, bot, process, word="Nothing was lost"):
        """The bot runs again, as another process."""
        expect(bot.get_by_text("Running", exact=True)).to_be_visible()
        expect(bot.get_by_text(process, exact=True)).to_have_count(0)
        expect(bot.get_by_text(re.compile(r"^process \d+$"))).to_be_visible()
        expect(bot.get_by_text(word).first).to_be_visible()

    def creations(self, viewer):
        """The connections that Fivetran has made for the bot, on the wire."""
        exactly = viewer.page.get_by_text("POST /v1/connections", exact=True)
        return viewer.tab("Wire").get_by_role("listitem").filter(has=exactly).filter(has_text="201")

    def test_killed_while_it_creates(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        before = self.creations(alice).count()
        bot, process = self.arm(alice)
        alice.say("/connect-card google_ads survives")
        expect(bot.get_by_text("It died at").first).to_be_visible()
        step = bot.get_by_role("listitem").filter(has_text="It died at").first
        expect(step).to_contain_text("POST /v1/connections: Fivetran had answered, and the bot died before it heard.")
        self.comes_back(bot, process)
        for viewer in [alice, grace]:
            expect(viewer.link("Google Ads")).to_have_count(1)

        created = self.creations(alice)
        expect(alice.tab("Wire").get_by_text("The bot died here").last).to_be_visible()
        expect(created).to_have_count(before + 1)
        expect(created.last).to_contain_text("Bot to Fivetran")
        grace.connect("Google Ads")
        for viewer in [alice, grace]:
            viewer.is_green("Google Ads")
        expect(created).to_have_count(before + 1)
        expect(alice.message("Google Ads").filter(has_text="The data goes to survives")).to_have_count(1)

    def test_killed_while_it_posts(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        before = self.creations(alice).count()
        alice.switch("Fivetran", "Slow").check()
        alice.say("/connect-card stripe posted_once")
        # The creation is under way, so what comes next is the message.
        under_way = alice.tab("Wire").get_by_role("listitem").filter(has_text="POST /v1/connections").filter(has_text="under way")
        expect(under_way).to_be_visible()
        bot, process = self.arm(alice)
        alice.switch("Fivetran", "Slow").uncheck()
        bot = alice.tab("Bot")
        expect(bot.get_by_text("It died at").first).to_be_visible()
        self.comes_back(bot, process)
        # Whatever it died of, there is one connection and one link, which works.
        for viewer in [alice, grace]:
            expect(viewer.link("Stripe")).to_have_count(1)
        grace.connect("Stripe")
        for viewer in [alice, grace]:
            expect(viewer.link("Stripe")).to_have_count(0)
            viewer.is_green("Stripe")
        expect(self.creations(alice)).to_have_count(before + 1)

    def test_killed_at_once(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card hubspot before")
        expect(alice.link("HubSpot")).to_be_visible()
        bot = alice.tab("Bot")
        process = bot.get_by_text(re.compile(r"^process \d+$")).inner_text()
        bot.get_by_role("button", name="Kill it now").click()
        expect(bot.get_by_text("It was killed at once, whatever it was at.").first).to_be_visible()
        self.comes_back(bot, process, "The next process has taken over.")
        alice.connect("HubSpot")
        alice.is_green("HubSpot")


PLANTED = [
    ({"is": "a bot that is killed between its steps", "file": "levers.js",
      "text": '{ when: "step" }', "becomes": '{ when: "now" }'},
     "test_killed_while_it_creates", 'get_by_text("Armed", exact=True)'),
    ({"is": "a link that shows twice", "file": "story.js",
      "text": "arrange(inner, rows.length", "becomes": "for (const row of rows.slice()) rows.push(row.cloneNode(true));\n    arrange(inner, rows.length"},
     "test_killed_while_it_creates", 'expect(viewer.link("Google Ads")).to_have_count(1)'),
]
