"""The form: opened by the bare command, filled in by type-ahead, refused under a field, and sent; and a
button that asks before it deletes."""

from harness import Stage, expect


class Form(Stage):
    def test_a_form_is_refused_corrected_and_sent(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card")
        form = alice.page.get_by_role("dialog", name="Connect a source")
        expect(form).to_be_visible()

        # What is missing, Slack asks for itself.
        form.get_by_role("button", name="Post the link").click()
        service, schema = form.get_by_role("combobox", name="Service"), form.get_by_role("textbox", name="Schema")
        expect(service).to_be_focused()
        expect(service).to_have_attribute("aria-invalid", "true")

        service.press_sequentially("hub")
        options = form.get_by_role("listbox").get_by_role("option")
        expect(options).to_have_count(1)
        expect(options).to_contain_text("HubSpot")
        service.press("ArrowDown")
        service.press("Enter")
        expect(form.locator(".chip")).to_contain_text("HubSpot (hubspot)")

        schema.fill("Bad Name")
        form.get_by_role("button", name="Post the link").click()
        expect(schema).to_have_attribute("aria-invalid", "true")
        expect(schema).to_have_accessible_description("Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try: bad_name Where the data goes. Use a–z, 0–9 and _, not starting with a digit. It can't be changed later.")
        expect(schema).to_be_focused()
        expect(form.locator(".chip")).to_contain_text("HubSpot (hubspot)")
        expect(alice.link("HubSpot")).to_have_count(0)

        schema.fill("from_the_form")
        form.get_by_role("button", name="Post the link").click()
        expect(form).to_be_hidden()
        expect(alice.link("HubSpot")).to_be_visible()
        expect(alice.message("The data goes to from_the_form")).to_be_visible()

    def test_a_form_shows_the_schemas_of_several_services(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card")
        form = alice.page.get_by_role("dialog", name="Connect a source")
        service = form.get_by_role("combobox", name="Service")
        for letters, name in [("hub", "HubSpot"), ("stripe", "Stripe")]:
            service.press_sequentially(letters)
            options = form.get_by_role("listbox").get_by_role("option")
            expect(options).to_have_count(1)
            service.press("Enter")
            expect(form.locator(".chip").filter(has_text=name)).to_be_visible()
            service.fill("")
        customer = form.get_by_role("textbox", name="Customer")
        expect(customer).to_be_visible()
        expect(form.get_by_role("textbox", name="Schema")).to_have_count(0)
        customer.fill("from_the_form")
        customer.press("Enter")
        expect(form).to_contain_text("from_the_form_hubspot")
        expect(form).to_contain_text("from_the_form_stripe")
        expect(form.locator(".chip")).to_have_count(2)
        form.get_by_role("button", name="Post the link").click()
        expect(form).to_be_hidden()
        expect(alice.message("Stripe").filter(has_text="HubSpot")).to_be_visible()

    def test_a_form_is_one_persons(self):
        alice, bob = self.viewer("Alice"), self.viewer("Bob")
        alice.say("/connect-card")
        form = alice.page.get_by_role("dialog")
        expect(form).to_be_visible()
        bob.say("I see no form")
        expect(alice.message("I see no form")).to_be_visible()
        expect(bob.page.get_by_role("dialog")).to_have_count(0)
        form.get_by_role("button", name="Never mind").click()
        expect(form).to_be_hidden()

    def test_a_destructive_button_asks_first(self):
        alice = self.viewer("Alice")
        alice.say("/connect-card stripe to_delete")
        expect(alice.link("Stripe")).to_be_visible()
        alice.say("/connect-card cancel to_delete")
        asked = alice.private("Cancel the connection for Stripe into to_delete?")
        delete = asked.get_by_role("button", name="Cancel the connection")
        question = alice.page.get_by_role("dialog")
        wire = alice.tab("Wire").get_by_role("listitem").filter(has_text="DELETE /v1/connections/")

        delete.click()
        expect(question).to_be_visible()
        question.get_by_role("button").first.click()
        expect(question).to_be_hidden()
        # What was said since has arrived, so what the denied press might have done would have, too.
        alice.say("Not yet")
        expect(alice.message("Not yet")).to_be_visible()
        expect(wire).to_have_count(0)
        expect(alice.link("Stripe")).to_be_visible()

        delete.click()
        question.get_by_role("button").last.click()
        expect(wire).to_have_count(1)
        expect(alice.link("Stripe")).to_have_count(0)
        expect(alice.message("Stripe").filter(has_text="cancelled")).not_to_have_count(0)


PLANTED = [
    ({"is": "an error that names no field", "file": "values.js",
      "text": "export function showErrors(root, errors) {", "becomes": "export function showErrors(root, errors) { errors = {};"},
     "test_a_form_is_refused_corrected_and_sent", "to_be_focused"),
    ({"is": "a denied question that is taken as confirmed", "file": "act.js",
      "text": 'dialog.returnValue === "confirm"', "becomes": "true"},
     "test_a_destructive_button_asks_first", "expect(wire).to_have_count(0)"),
    ({"is": "another person's form", "file": "dialogs.js",
      "text": "view.user === state.place.as", "becomes": "true"},
     "test_a_form_is_one_persons", 'bob.say("I see no form")'),
]
