"""What can go wrong, switched on and off again, and what people read then."""

from harness import Stage, expect


class OfFivetran(Stage):
    def test_down_and_up_again(self):
        alice = self.viewer("Alice")
        alice.switch("Fivetran", "Down (500)").check()
        alice.say("/connect-card google_ads waits")
        expect(alice.private("Still working on the link for Google Ads: Fivetran isn't giving clear answers right now.")).to_be_visible()
        expect(alice.link("Google Ads")).to_have_count(0)
        wire = alice.tab("Wire").get_by_role("listitem").filter(has_text="Bot to Fivetran").filter(has_text="500")
        expect(wire.first).to_contain_text("fault")
        alice.switch("Fivetran", "Down (500)").uncheck()
        # Longer than the bot's pauses, and not as long as it tries.
        alice.wait(seconds=600)
        expect(alice.message("The data goes to waits")).to_be_visible()
        expect(alice.link("Google Ads")).to_have_count(1)

    def test_a_schema_that_is_taken(self):
        alice = self.viewer("Alice")
        taken = alice.switch("Fivetran", "Schema is taken")
        taken.check()
        alice.say("/connect-card stripe is_taken")
        expect(alice.private("Fivetran says is_taken is already taken")).to_contain_text("Choose another schema.")
        expect(alice.link("Stripe")).to_have_count(0)
        taken.uncheck()
        alice.say("/connect-card stripe is_free")
        expect(alice.link("Stripe")).to_have_count(1)

    def test_every_switch_goes_on_and_off(self):
        alice = self.viewer("Alice")
        panel = alice.tab("Faults")
        switches = panel.get_by_role("switch")
        expect(switches).to_have_count(15)
        tab = alice.page.get_by_role("tab", name="Faults")
        for switch in switches.all():
            switch.check()
            expect(tab).to_have_text("Faults1")
            switch.uncheck()
            expect(tab).to_have_text("Faults")
            expect(switch).not_to_be_checked()
        # Another page knows as well.
        bob = self.viewer("Bob")
        switches.first.check()
        expect(bob.switch("Fivetran", "Slow")).to_be_checked()
        switches.first.uncheck()
        expect(bob.switch("Fivetran", "Slow")).not_to_be_checked()


class OfTheCustomer(Stage):
    def test_a_sign_in_breaks_it(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        alice.say("/connect-card hubspot breaks")
        grace.connect("HubSpot")
        alice.is_green("HubSpot")
        alice.switch("The customer", "The sign-in stops working").check()
        # The bot looks every now and then, by the sandbox's time.
        hour = lambda: alice.tab("Time").get_by_role("button", name="+1 hour").click()
        hour()
        for viewer in [alice, grace]:
            expect(viewer.message("✅ HubSpot is connected")).to_have_count(0)
            expect(viewer.message("HubSpot").filter(has_text="sign in again")).not_to_have_count(0)
        alice.switch("The customer", "The sign-in stops working").uncheck()
        hour()
        for viewer in [alice, grace]:
            viewer.is_green("HubSpot")

    def test_a_sync_breaks_it(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        alice.say("/connect-card stripe syncs")
        grace.connect("Stripe")
        alice.is_green("Stripe")
        alice.switch("The customer", "A sync fails").check()
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        alice.say("/connect-card status syncs")
        expect(alice.private("Stripe into syncs")).to_contain_text("your customer isn't asked to do anything")
        alice.switch("The customer", "A sync fails").uncheck()


class OfSlack(Stage):
    def test_the_bot_is_not_in_the_channel(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        outside = alice.switch("Slack", "Bot isn't in the channel")
        outside.check()
        alice.say("/connect-card google_ads by_response_url")
        for viewer in [alice, grace]:
            expect(viewer.link("Google Ads")).to_have_count(1)
        expect(alice.private("The link is posted, but I'm not in this channel")).to_be_visible()
        expect(grace.message("I'm not in this channel")).to_have_count(0)
        outside.uncheck()
        alice.say("/connect-card stripe by_the_web_api")
        expect(alice.link("Stripe")).to_have_count(1)
        grace.connect("Stripe")
        alice.is_green("Stripe")

    def test_silent_and_back(self):
        alice = self.viewer("Alice")
        alice.switch("Slack", "Silent").check()
        alice.say("/connect-card hubspot unheard")
        expect(alice.private("Making a link for HubSpot now")).to_be_visible()
        unheard = alice.tab("Wire").get_by_role("listitem").filter(has_text="chat.postMessage").filter(has_text="no answer")
        expect(unheard.first).to_be_visible()
        expect(alice.link("HubSpot")).to_have_count(0)
        alice.switch("Slack", "Silent").uncheck()
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        expect(alice.link("HubSpot")).to_have_count(1)


PLANTED = [
    ({"is": "a switch that stays on", "file": "levers.js",
      "text": '"fault", { name: one.name, on }', "becomes": '"fault", { name: one.name, on: true }'},
     "test_every_switch_goes_on_and_off", 'expect(tab).to_have_text("Faults")'),
    ({"is": "a switch that does nothing", "file": "levers.js",
      "text": '"fault", { name: one.name, on }', "becomes": '"fault", { name: one.name, on: false }'},
     "test_a_schema_that_is_taken", 'Fivetran says is_taken'),
]
