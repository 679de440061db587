"""The whole story, as three people at once: a command, its link, the customer's sign-in, and the news."""

from harness import GLOBEX, Stage, expect

COMMAND = "/connect-card google_ads customer_schema"


class Story(Stage):
    def test_three_people_play_the_story(self):
        alice, bob, grace = self.all_three()
        alice.field.press_sequentially("/c")
        suggestions = alice.page.get_by_role("listbox", name="Suggestions")
        expect(suggestions.get_by_role("option")).to_have_count(1)
        alice.field.press("Enter")
        expect(alice.field).to_have_value("/connect-card ")
        alice.field.press_sequentially("st")
        expect(suggestions.get_by_role("option", name="status")).to_be_visible()
        alice.field.press("Escape")
        expect(suggestions).to_be_hidden()
        alice.field.fill(COMMAND)
        alice.field.press("Enter")

        expect(alice.private("Making a link for Google Ads now")).to_be_visible()
        for viewer in [alice, bob, grace]:
            expect(viewer.message("Please connect Google Ads")).to_be_visible()
            expect(viewer.link("Google Ads")).to_be_visible()
        for viewer in [bob, grace]:
            expect(viewer.messages.get_by_text("Only visible to you").locator("visible=true")).to_have_count(0)
            expect(viewer.message("Making a link")).to_have_count(0)

        card = grace.open_card("Google Ads")
        expect(card.get_by_role("heading", name="Connect Google Ads")).to_be_visible()
        card.get_by_role("button", name="Let the setup tests fail").click()
        expect(card.get_by_role("heading", name="The setup tests failed")).to_be_visible()
        card.get_by_role("button", name="Try again: sign in").click()
        expect(card).to_have_title("Google Ads is connected")
        self.assertIn("/connected/", card.url)

        for viewer in [alice, bob, grace]:
            viewer.is_green("Google Ads")
            expect(viewer.message("Please connect Google Ads")).to_have_count(0)
            expect(viewer.link("Google Ads")).to_have_count(0)
            message = viewer.message("✅ Google Ads is connected")
            expect(message.get_by_text("(edited)").first).to_be_visible()
            message.get_by_role("button", name="1 reply").click()
            expect(message.get_by_role("article")).to_contain_text("Google Ads is connected")

    def test_the_landing_page_turns_by_itself(self):
        grace = self.viewer("Grace")
        alice = self.viewer("Alice")
        alice.say("/connect-card stripe by_itself")
        card = grace.open_card("Stripe")
        landing = grace.page.context.new_page()
        # Its pauses are skipped by its own clock.
        landing.clock.install()
        landing.goto(return_address(card.url))
        expect(landing.get_by_role("heading", name="Checking Stripe")).to_be_visible()
        # By then, Fivetran would have noticed a sign-in.
        alice.tab("Time").get_by_role("button", name="+1 hour").click()
        expect(alice.page.get_by_role("tabpanel", name="Time")).to_contain_text("1 hour ahead")
        landing.clock.fast_forward("00:10")
        expect(landing.get_by_role("heading", name="Stripe isn't connected yet")).to_be_visible()
        landing.evaluate("() => { window.isTheSamePage = true; }")
        card.get_by_role("button", name="Sign in").click()
        expect(card).to_have_title("Stripe is connected")
        landing.clock.fast_forward("01:00")
        expect(landing).to_have_title("Stripe is connected")
        expect(landing.get_by_role("heading", name="Stripe is connected")).to_be_visible()
        self.assertTrue(landing.evaluate("() => window.isTheSamePage === true"), "it was loaded anew")

    def test_one_viewer_is_each_person_in_turn(self):
        viewer = self.viewer("Alice")
        viewer.say("/connect-card hubspot in_turn")
        expect(viewer.private("Making a link for HubSpot")).to_be_visible()
        viewer.be("Grace")
        expect(viewer.link("HubSpot")).to_be_visible()
        expect(viewer.private("Making a link for HubSpot")).to_have_count(0)
        expect(viewer.page.get_by_text("There is no /connect-card for Grace")).to_be_visible()
        viewer.say("Hello, who are you?")
        viewer.be("Bob")
        words = viewer.message("Hello, who are you?")
        expect(words).to_contain_text("Grace")
        expect(words).to_contain_text("Globex")
        expect(viewer.page.get_by_role("heading", name=f"#{GLOBEX}")).to_be_visible()


class Sources(Stage):
    def test_a_customer_is_led_through_all_their_sources(self):
        alice, grace = self.viewer("Alice"), self.viewer("Grace")
        alice.say("/connect-card google_ads, hubspot, stripe led")
        alice.page.get_by_role("button", name="Create all 3").click()
        grace.messages.get_by_role("button", name="Connect Google Ads").click()
        page = grace.open_card("Google Ads")
        for service, following in [("Google Ads", "HubSpot"), ("HubSpot", "Stripe")]:
            page.get_by_role("button", name="Sign in").click()
            expect(page).to_have_title(f"{service} is connected")
            expect(page.get_by_text(f"Next: {following}.")).to_be_visible()
            # One page leads to the next, and back.
            page.get_by_role("button", name=f"Connect {following}").click()
            expect(page.get_by_role("heading", name=f"Connect {following}")).to_be_visible()
            page.go_back()
            expect(page).to_have_title(f"{service} is connected")
            page.get_by_role("button", name=f"Connect {following}").click()
            expect(page.get_by_role("heading", name=f"Connect {following}")).to_be_visible()
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("All 3 are connected")
        expect(alice.message("All 3 are connected.").first).to_be_visible()


def return_address(card):
    """Where the card leads to after a sign-in, from its own address."""
    return card.split("redirect_uri=")[1].split("&")[0]


PLANTED = [
    ({"is": "a message that is not updated", "file": "state.js",
      "text": "for (const message of event.messages ?? []) state",
      "becomes": "for (const message of event.messages ?? []) if (!state.messages.has(message.id)) state"},
     "test_three_people_play_the_story", 'viewer.is_green("Google Ads")'),
    ({"is": "a private message that everyone sees", "file": "state.js",
      "text": "|| message.user === userId", "becomes": "|| true"},
     "test_one_viewer_is_each_person_in_turn", 'to_have_count(0)'),
    ({"is": "a script in the page itself", "file": "index.html",
      "text": "</head>", "becomes": "<script>1</script></head>"},
     "test_one_viewer_is_each_person_in_turn", "forbidden by script-src-elem"),
    ({"is": "a picture from elsewhere", "file": "index.html",
      "text": "</main>", "becomes": '<img alt="" src="http://192.0.2.1/x.png"></main>'},
     "test_one_viewer_is_each_person_in_turn", "192.0.2.1"),
    ({"is": "an error in a script", "file": "places.js",
      "text": "function choose(changes) {", "becomes": "function choose(changes) { setTimeout(() => { throw Error('planted') });"},
     "test_one_viewer_is_each_person_in_turn", "planted"),
]
