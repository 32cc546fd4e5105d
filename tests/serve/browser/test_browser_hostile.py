"""Texts and labels that try to become code, or to break the page, are shown as they are."""

import httpx
import pytest

BREAK_IN = "document.title='broken in'"
HOSTILE = {
    "markup": f'<img src=x onerror="{BREAK_IN}"><script>{BREAK_IN}</script>',
    "attribute": f'" onfocus="{BREAK_IN}" autofocus="',
    "right to left": "שלום‮ dlrow olleh مرحبا",
    "long": "W" * 200,
    "template": f"${{{BREAK_IN}}} {{{{7*7}}}}",
}
VIEWS = [
    "label",
    "suspects",
    "try",
    "accuracy",
    "rows",
    "classes",
    "people",
    "history",
    "take",
    "add",
]


@pytest.fixture(scope="module")
def hostile(address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "hostile"}).raise_for_status()
        rows = []
        for label in HOSTILE.values():
            printable = "".join(letter for letter in label if letter.isprintable())
            rows += [
                {"text": f"{text} {printable}", "label": printable, "source": printable}
                for text in ("one", "two")
            ]
        rows += [{"text": text * 3} for text in HOSTILE.values()]
        client.post("/v1/tasks/hostile/rows", json={"rows": rows}).raise_for_status()
    return address


def test_a_command_to_copy_has_no_control_character(visiting, address):
    with httpx.Client(base_url=address) as client:
        for name, text in {"plain": "lost card", "control": "lost\x03touch /tmp/owned\r"}.items():
            client.post("/v1/tasks", json={"name": name}).raise_for_status()
            rows = [{"text": text, "label": "card"}]
            client.post(f"/v1/tasks/{name}/rows", json={"rows": rows}).raise_for_status()
    for name, shown in {"plain": "--row 'lost card'", "control": "--row 'some text'"}.items():
        visitor = visiting(address)
        visitor.open(f"{name}/take")
        visitor.shows(shown)
        assert "owned" not in visitor.page.content()


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_that_people_write_is_run_or_breaks_the_page(visiting, hostile, view):
    visitor = visiting(hostile, viewport={"width": 390, "height": 844})
    visitor.open(f"hostile/{view}")
    page = visitor.page
    if view == "try":
        page.get_by_label("A text").fill(HOSTILE["markup"])
        visitor.press("Control+Enter")
        visitor.shows("Why")
    page.wait_for_load_state("networkidle")
    assert page.locator("img[onerror], script:not([src]), [onfocus]").count() == 0
    assert "broken in" not in page.title()
    assert visitor.too_wide() <= 0
    if view == "rows":
        assert page.get_by_text(f"one {HOSTILE['markup']}").count() == 1
