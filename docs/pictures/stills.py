"""The pictures that stand still. Owns what each of them shows; must not know how they are kept."""

from playwright.sync_api import expect

# CSS px. Two of the narrow ones stand beside each other in the README.
NARROW = (520, 650)
WIDE = (1280, 800)
CHANNEL = "in=C0GLOBEX"
COMMAND = "/connect-card google_ads customer_schema"
# An exchange stands right below the names of who talks to whom.
TO_THE_TOP = """label => {
  const scroller = label.closest("[role=region]");
  const names = scroller.firstElementChild.getBoundingClientRect();
  scroller.scrollBy({ top: label.closest("li").getBoundingClientRect().top - names.bottom, behavior: "instant" });
}"""


def take(stage):
    """Plays the story once, and yields each picture with its name."""
    alice = stage.open(*NARROW, f"#as=U0ALICE&{CHANNEL}")
    stage.to_the_hour(alice)
    bob = stage.open(*NARROW, f"#as=U0BOB&{CHANNEL}")
    box = alice.get_by_role("textbox", name="Message #ext-globex")

    box.press_sequentially("/connect-card ")
    expect(alice.get_by_role("option").first).to_be_visible()
    yield "command", column(alice)

    box.fill(COMMAND)
    box.press("Enter")
    link = bob.get_by_role("link", name="Connect Google Ads")
    expect(link).to_be_visible()
    yield "message", column(bob)

    yield "form", form(alice, box)

    sign_in(link)
    expect(bob.get_by_role("region", name="Messages").get_by_text("is connected").first).to_be_visible()
    bob.get_by_role("button", name="1 reply").click()
    yield "connected", column(bob)

    behind = stage.open(*WIDE, f"#as=U0ALICE&{CHANNEL}&panel=wire")
    expect(behind.get_by_text("chat.update").first).to_be_visible()
    exchanges = behind.get_by_role("region", name="Exchanges")
    exchanges.get_by_text("POST /v1/connections").first.click()
    exchanges.get_by_text("POST /slack/commands").first.evaluate(TO_THE_TOP)
    behind.mouse.move(0, 0)
    yield "wire", behind.screenshot()


def form(page, box):
    """The form, half filled in."""
    expect(page.get_by_role("link", name="Connect Google Ads")).to_be_visible()
    box.fill("/connect-card ")
    box.press("Escape")
    box.press("Enter")
    dialog = page.get_by_role("dialog")
    service = dialog.get_by_role("combobox", name="Service")
    service.fill("shop")
    expect(page.get_by_role("option", name="Shopify")).to_be_visible()
    taken = column(page)
    dialog.get_by_role("button", name="Never mind").click()
    expect(dialog).to_be_hidden()
    return taken


def sign_in(link):
    """What the customer does behind the link."""
    with link.page.expect_popup() as popup:
        link.click()
    popup.value.get_by_role("button", name="Sign in").click()
    expect(popup.value.get_by_role("heading", name="connected")).to_be_visible()
    popup.value.close()


def column(page):
    """Only the channel, without the bars above and below it."""
    # No message is to look as if somebody pointed at it.
    page.mouse.move(0, 0)
    return page.screenshot(clip=page.locator("#channel").bounding_box())
