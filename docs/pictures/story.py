"""The animation of the whole story: its scenes, captions and pace.

Owns the frames. Waiting is the browser's business; what is timed here is only for how long a frame is shown.
"""

import io

from PIL import Image
from playwright.sync_api import expect

from stage import SANS
from stills import CHANNEL, COMMAND

# Enough for a README's width on a fine screen, and a third less to load than twice.
SCALE = 1.5
# CSS px: the window, the part of it that is shown (who and where, and the channel), and the caption below.
WINDOW = (1280, 584)
SHOWN = {"x": 0, "y": 46, "width": 920, "height": 538}
CAPTION = 46
# The customer's pages are taken in a window so much larger, in which the whole of them is seen.
AFAR = 1.25
# Milliseconds.
LETTER, GLIDE, LOOK, READ = 55, 45, 900, 2200
# Frames of the pointer on its way.
STEPS = 6

STRIP = """<!doctype html><style>
body {{ margin: 0; height: {height}px; display: grid; grid-template-columns: 1fr auto; align-items: center;
  padding: 0 20px; font: 600 17px/1 '{font}', sans-serif; color-scheme: light dark;
  background: light-dark(#0b625e, #0d3f3c); color: #fff; }}
ol {{ display: flex; gap: 7px; margin: 0; padding: 0; list-style: none; }}
li {{ width: 8px; height: 8px; border-radius: 50%; background: #fff5; }}
.now {{ background: #fff; }}
</style><span>{text}</span><ol>{dots}</ol>"""
POINTER = """<style>body { margin: 0 }</style><svg width="28" height="28" viewBox="0 0 28 28">
<path d="M4 2 4 21 9 16.6 12.4 24.4 16 22.8 12.6 15.2 19.2 14.6Z" fill="#111" stroke="#fff" stroke-width="1.6"
  stroke-linejoin="round"/></svg>"""
CAPTIONS = (
    "Alice asks, in the channel she shares with a customer",
    "The bot answers at once, to Alice alone",
    "Everyone in the channel gets the link",
    "Grace, the customer, opens it",
    "She signs in, here on a stand-in where nothing is real",
    "The bot has seen it",
    "The message turns green by itself",
)


class Reel:
    """The frames so far, each with its milliseconds."""

    def __init__(self, stage):
        self.frames = []
        size = {"width": SHOWN["width"], "height": CAPTION}
        self.strip = stage.browser.new_page(viewport=size, device_scale_factor=SCALE, color_scheme=stage.scheme)
        page = stage.browser.new_page(viewport={"width": 28, "height": 28}, device_scale_factor=SCALE)
        page.set_content(POINTER)
        self.pointer = image(page.screenshot(omit_background=True))
        self.at = (SHOWN["width"] * 0.62, SHOWN["height"] * 0.55)
        self.said = None

    def caption(self, number):
        """What is said from now on below the pictures."""
        dots = "".join(f'<li class="{"now" if at == number else ""}"></li>' for at in range(len(CAPTIONS)))
        self.strip.set_content(STRIP.format(height=CAPTION, font=SANS, text=CAPTIONS[number], dots=dots))
        self.said = image(self.strip.screenshot())

    def take(self, page, ms, pointer=False):
        """One frame of a page as it is now."""
        self.keep(shown(page), ms, pointer)

    def keep(self, shot, ms, pointer):
        frame = Image.new("RGB", (shot.width, shot.height + self.said.height))
        frame.paste(shot)
        frame.paste(self.said, (0, shot.height))
        if pointer:
            frame.paste(self.pointer, tuple(round(place * SCALE) for place in self.at), self.pointer)
        self.frames.append((frame, ms))

    def glide(self, page, target):
        """The pointer goes to what will be clicked."""
        box, zoom = target.bounding_box(), zoom_of(page)
        left, top = (0, 0) if zoom > 1 else (SHOWN["x"], SHOWN["y"])
        start = self.at
        end = ((box["x"] + min(box["width"] * 0.6, 90)) / zoom - left, (box["y"] + box["height"] * 0.6) / zoom - top)
        shot = shown(page)
        for step in range(1, STEPS + 1):
            part = step / STEPS
            # Slower at both ends, as a hand is.
            part = part * part * (3 - 2 * part)
            self.at = tuple(a + (b - a) * part for a, b in zip(start, end))
            self.keep(shot, GLIDE if step < STEPS else LOOK // 2, True)


def image(png):
    return Image.open(io.BytesIO(png)).convert("RGBA")


def zoom_of(page):
    """How much larger than the frame a page's window is; the workspace's is only cut."""
    return 1 if page.viewport_size["width"] == WINDOW[0] else page.viewport_size["width"] / SHOWN["width"]


def shown(page):
    """What of a page is in the frame."""
    if zoom_of(page) == 1:
        return image(page.screenshot(clip=SHOWN))
    size = (round(SHOWN["width"] * SCALE), round(SHOWN["height"] * SCALE))
    return image(page.screenshot()).resize(size, Image.Resampling.LANCZOS)


def play(stage):
    """Plays it, and returns the frames with their milliseconds."""
    page = stage.open(*WINDOW, f"#as=U0ALICE&{CHANNEL}", scale=SCALE)
    reel = Reel(stage)
    messages = page.get_by_role("region", name="Messages")
    box = page.get_by_role("textbox", name="Message #ext-globex")

    reel.caption(0)
    reel.take(page, LOOK)
    for letter in COMMAND:
        box.press_sequentially(letter)
        reel.take(page, LETTER)
    reel.take(page, LOOK)

    reel.caption(1)
    stage.to_the_hour(page)
    # So that what comes at once is seen before what comes later.
    stage.ask(page, "fault", name="fivetran-slow", on=True)
    box.press("Enter")
    expect(messages.get_by_text("It will appear here")).to_be_visible()
    reel.take(page, READ)

    reel.caption(2)
    link = messages.get_by_role("link", name="Connect Google Ads")
    expect(link).to_be_visible()
    stage.ask(page, "fault", name="fivetran-slow", on=False)
    reel.take(page, READ)

    reel.caption(3)
    grace = page.get_by_role("radio", name="Grace")
    reel.glide(page, page.locator("label").filter(has=grace))
    grace.check()
    reel.take(page, LOOK, pointer=True)
    reel.glide(page, link)
    with page.expect_popup() as popup:
        link.click()
    card = popup.value
    card.set_viewport_size({side: round(SHOWN[side] * AFAR) for side in ("width", "height")})

    reel.caption(4)
    sign_in = card.get_by_role("button", name="Sign in")
    reel.take(card, LOOK, pointer=True)
    reel.glide(card, sign_in)
    sign_in.click()

    reel.caption(5)
    expect(card.get_by_role("heading", name="connected")).to_be_visible()
    reel.take(card, READ)
    card.close()

    reel.caption(6)
    page.get_by_role("radio", name="Alice").check()
    expect(messages.get_by_text("is connected").first).to_be_visible()
    reel.take(page, READ + LOOK)
    return reel.frames
