"""A link that was not used in its day: it expires for everyone who sees it, and is renewed by a button."""

from harness import Stage, expect


class Expired(Stage):
    def test_a_link_expires_and_is_renewed(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        alice.say("/connect-card hubspot too_late")
        expect(alice.message("Works until Tomorrow")).to_be_visible()
        card = grace.open_card("HubSpot")
        old = card.url

        alice.tab("Time").get_by_role("button", name="+1 day").click()
        expect(alice.page.get_by_role("tabpanel", name="Time")).to_contain_text("1 day ahead of your own clock")
        for viewer in [alice, grace]:
            expect(viewer.message("The link for HubSpot expired Today")).to_be_visible()
            expect(viewer.link("HubSpot")).to_have_count(0)
        # A day and an instant: the card counts its day from an instant later than the bot does.
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        expect(alice.page.get_by_role("tabpanel", name="Time")).to_contain_text("1 day and 1 hour ahead")
        self.expects(410)
        card.reload()
        expect(card.get_by_role("heading", name="This link has expired")).to_be_visible()

        alice.message("The link for HubSpot expired").get_by_role("button", name="Get a new link").click()
        for viewer in [alice, grace]:
            expect(viewer.link("HubSpot")).to_be_visible()
        self.assertNotEqual(grace.link("HubSpot").get_attribute("href"), old)
        grace.connect("HubSpot")
        for viewer in [alice, grace]:
            viewer.is_green("HubSpot")
        card.reload()
        expect(card.get_by_role("heading", name="This link has expired")).to_be_visible()


PLANTED = [
    ({"is": "a clock that hardly moves", "file": "levers.js",
      "text": '["+1 day", 86_400]', "becomes": '["+1 day", 80_000]'},
     "test_a_link_expires_and_is_renewed", "1 day ahead of your own clock"),
    ({"is": "dates by the browser's own clock", "file": "time.js",
      "text": "aheadMs = Date.parse(clock.now) - Date.now()", "becomes": "aheadMs = 0"},
     "test_a_link_expires_and_is_renewed", "expired Today"),
    ({"is": "a button that does nothing", "file": "act.js",
      "text": "await env.act(element, block, choice);", "becomes": ""},
     "test_a_link_expires_and_is_renewed", 'expect(viewer.link("HubSpot")).to_be_visible()'),
]
