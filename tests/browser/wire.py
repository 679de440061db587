"""The wire: everything that was asked and answered, and no secret of it."""

from urllib.parse import parse_qs, urlsplit

from harness import Stage, expect


class Wire(Stage):
    def test_everything_is_on_the_wire_and_no_secret(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card google_ads on_the_wire")
        address = alice.link("Google Ads").get_attribute("href")
        [token] = parse_qs(urlsplit(address).query)["auth"]
        self.assertGreater(len(token), 50)
        alice.connect("Google Ads")
        alice.is_green("Google Ads")

        wire = alice.tab("Wire")
        exchanges = wire.get_by_role("region", name="Exchanges").get_by_role("listitem")
        for label, who in [
            ("POST /slack/commands", "Slack to Bot"),
            ("POST /v1/connections", "Bot to Fivetran"),
            ("POST chat.postMessage", "Bot to Slack"),
            ("POST /connect-card/setup", "Browser to Fivetran"),
            ("POST chat.update", "Bot to Slack"),
        ]:
            expect(exchanges.filter(has_text=label).filter(has_text=who).first).to_be_visible()

        for summary in exchanges.locator("summary").all():
            summary.click()
        created = exchanges.filter(has=alice.page.get_by_text("POST /v1/connections", exact=True))
        expect(created.get_by_role("group", name="Answer")).to_contain_text('"id"')
        shown = wire.inner_text()
        # As it is, the page shows that something is there, and not what.
        self.assertIn("auth=•••", shown)
        self.assertNotIn(token, shown)
        self.assertNotIn(token.split(".")[2], shown)
        self.assertNotRegex(shown, r"auth=(?!•••)")
        self.assertNotRegex(shown, r"/commands/\w")
        self.assertNotRegex(shown, r"xox[bp]-")
        self.assertNotRegex(shown, r'"(token|response_url|trigger_id)": "(?!•••)')

        wire.get_by_role("searchbox", name="Filter the wire").fill("chat.update")
        expect(exchanges).to_have_count(1)
        wire.get_by_role("searchbox", name="Filter the wire").fill("nothing of the kind")
        expect(exchanges).to_have_count(0)
        expect(wire.get_by_text("Nothing on the wire matches.")).to_be_visible()


PLANTED = [
    ({"is": "a secret on the wire", "file": "wire.js",
      "text": "    setText(pre, text);",
      "becomes": '    setText(pre, text.replaceAll("auth=•••", "auth=••• auth=let-me-in"));'},
     "test_everything_is_on_the_wire_and_no_secret", 'self.assertNotRegex(shown, r"auth='),
    ({"is": "an exchange that is left out", "file": "wire.js",
      "text": "(one) => matches(one, wanted)", "becomes": '(one) => !one.label.includes("chat.") && matches(one, wanted)'},
     "test_everything_is_on_the_wire_and_no_secret", "filter(has_text=who)"),
]
