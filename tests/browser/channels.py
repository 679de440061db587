"""Two customers, a channel each: what is made for one never shows in the other's."""

from harness import ACME, GLOBEX, Stage, expect


class Channels(Stage):
    def test_two_customers_are_never_mixed(self):
        alice, acme, grace = self.viewer("Alice"), self.viewer("Bob", ACME), self.viewer("Grace")
        alice.say("/connect-card google_ads globex_ads")
        expect(grace.link("Google Ads")).to_be_visible()
        acme.say("/connect-card stripe acme_stripe")
        expect(acme.link("Stripe")).to_be_visible()
        # What comes last in a channel shows that what came before is there.
        alice.say("All of Globex is here")
        acme.say("All of Acme is here")
        for viewer in [alice, grace]:
            expect(viewer.message("All of Globex is here")).to_be_visible()
            expect(viewer.messages.get_by_text("acme")).to_have_count(0)
            expect(viewer.link("Stripe")).to_have_count(0)
            expect(viewer.message("All of Acme")).to_have_count(0)
        expect(acme.message("All of Acme is here")).to_be_visible()
        expect(acme.messages.get_by_text("globex")).to_have_count(0)
        expect(acme.link("Google Ads")).to_have_count(0)

        # Each lists its own.
        acme.say("/connect-card list")
        expect(acme.private("Stripe into acme_stripe")).to_be_visible()
        expect(acme.messages.get_by_text("globex_ads")).to_have_count(0)

        places = grace.page.get_by_role("navigation", name="Workspace").get_by_role("list").get_by_role("button")
        expect(places).to_have_count(1)
        expect(places).to_have_accessible_name(GLOBEX)
        # Nor does an address lead there.
        grace.page.goto(f"{self.sandbox.url}#as=U0OUTSIDER&in=C0CUSTOMER")
        expect(grace.page.get_by_role("heading", name=f"#{GLOBEX}")).to_be_visible()
        expect(grace.page.get_by_role("heading", name=f"#{ACME}")).to_have_count(0)

    def test_a_schema_of_another_channel_is_asked_about_first(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card hubspot asked_twice")
        expect(alice.link("HubSpot")).to_be_visible()
        alice.go(ACME)
        alice.say("/connect-card hubspot asked_twice")
        asked = alice.private("HubSpot for asked_twice was already requested in another channel")
        expect(asked).to_be_visible()
        expect(alice.link("HubSpot")).to_have_count(0)
        asked.get_by_role("button", name="Never mind").click()
        expect(asked).to_have_count(0)
        expect(alice.link("HubSpot")).to_have_count(0)
        alice.go(GLOBEX)
        expect(alice.link("HubSpot")).to_be_visible()


PLANTED = [
    ({"is": "a channel that leaks into another", "file": "state.js",
      "text": "message.channel !== channelId || ", "becomes": ""},
     "test_two_customers_are_never_mixed", 'to_have_count(0)'),
    ({"is": "a channel that everyone sees", "file": "state.js",
      "text": "one.sees.includes(id)", "becomes": "true"},
     "test_two_customers_are_never_mixed", "expect(places).to_have_count(1)"),
]
