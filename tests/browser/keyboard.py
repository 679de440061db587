"""The story without a mouse: nothing here clicks."""

from harness import Stage, expect

# What has the focus, by role and name as far as they are written down.
FOCUSED = """() => { const it = document.activeElement;
  return `${it.getAttribute("role") ?? it.localName} ${it.getAttribute("aria-label") ?? it.id} ${it.textContent.trim()}`; }"""
# More stops than the page has.
STOPS = 80


class Keyboard(Stage):
    def tab_to(self, target, key="Tab"):
        """Presses Tab until this has the focus."""
        page, seen = target.page, []
        for _ in range(STOPS):
            if target.evaluate("it => it === document.activeElement"):
                return expect(target).to_be_focused()
            page.keyboard.press(key)
            seen.append(page.evaluate(FOCUSED))
        raise AssertionError("the keyboard does not get there, but to:\n" + "\n".join(seen))

    def test_the_story_is_played_by_keyboard(self):
        alice = self.viewer("Alice")
        page, press = alice.page, alice.page.keyboard.press
        self.tab_to(alice.field)
        page.keyboard.type("/con")
        press("Enter")
        page.keyboard.type("google_ads by_keyboard")
        expect(alice.field).to_have_value("/connect-card google_ads by_keyboard")
        press("Enter")
        expect(alice.link("Google Ads")).to_be_visible()

        self.tab_to(alice.link("Google Ads"), "Shift+Tab")
        with page.expect_popup() as opened:
            press("Enter")
        card = opened.value
        expect(card.get_by_role("heading", name="Connect Google Ads")).to_be_visible()
        self.tab_to(card.get_by_role("button", name="Sign in"))
        card.keyboard.press("Enter")
        expect(card).to_have_title("Google Ads is connected")
        alice.is_green("Google Ads")

        thread = alice.message("is connected").get_by_role("button", name="1 reply")
        self.tab_to(thread, "Shift+Tab")
        press("Enter")
        expect(thread).to_have_attribute("aria-expanded", "true")

        self.tab_to(page.get_by_role("tab", name="Wire"))
        press("ArrowRight")
        expect(page.get_by_role("tab", name="Time")).to_be_focused()
        press("ArrowRight")
        expect(page.get_by_role("tab", name="Faults")).to_be_focused()
        slow = page.get_by_role("group", name="Fivetran").get_by_role("switch", name="Slow")
        self.tab_to(slow)
        press("Space")
        expect(slow).to_be_checked()
        expect(page.get_by_role("tab", name="Faults")).to_have_text("Faults1")
        press("Space")
        expect(page.get_by_role("tab", name="Faults")).to_have_text("Faults")

        self.tab_to(page.get_by_role("radio", name="Alice"), "Shift+Tab")
        press("ArrowDown")
        expect(page.get_by_role("radio", name="Bob")).to_be_checked()
        expect(page.get_by_text("You are Bob")).to_be_visible()

    def test_a_form_is_filled_in_by_keyboard(self):
        alice = self.viewer("Alice")
        page, press = alice.page, alice.page.keyboard.press
        self.tab_to(alice.field)
        page.keyboard.type("/connect-card")
        press("Enter")
        form = page.get_by_role("dialog")
        expect(form).to_be_visible()
        self.tab_to(form.get_by_role("combobox", name="Service"))
        page.keyboard.type("stripe")
        expect(form.get_by_role("listbox").get_by_role("option")).to_have_count(1)
        press("ArrowDown")
        press("Enter")
        press("Tab")
        expect(form.get_by_role("textbox", name="Schema")).to_be_focused()
        page.keyboard.type("typed_out")
        press("Enter")
        expect(form).to_be_hidden()
        expect(alice.link("Stripe")).to_be_visible()
        alice.say("/connect-card")
        expect(form).to_be_visible()
        press("Escape")
        expect(form).to_be_hidden()


PLANTED = [
    ({"is": "a link that the keyboard does not get to", "file": "elements.js",
      "text": 'node.classList.add("leads");', "becomes": 'node.classList.add("leads"); node.tabIndex = -1;'},
     "test_the_story_is_played_by_keyboard", 'self.tab_to(alice.link("Google Ads"), "Shift+Tab")'),
    ({"is": "tabs without arrows", "file": "panel.js", "text": "ArrowRight: index + 1", "becomes": "F9: 0"},
     "test_the_story_is_played_by_keyboard", 'name="Time")).to_be_focused()'),
]
