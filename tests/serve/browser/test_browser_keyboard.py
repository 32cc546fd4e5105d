"""Everything works without a mouse."""

import httpx


def _tab_to(visitor, role, name):
    """Press Tab until an element has the focus, as somebody without a mouse does."""
    wanted = visitor.page.get_by_role(role, name=name).first
    wanted.wait_for()
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        visitor.press("Tab")
    raise AssertionError(f"Tab never reaches the {role} {name}")


def _focus_is_visible(visitor):
    return visitor.page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'")


def test_a_task_is_made_taught_and_corrected_by_keys(visitor, address):
    page = visitor.page
    visitor.open()
    _tab_to(visitor, "textbox", "Name")
    page.keyboard.type("keys")
    _tab_to(visitor, "radio", "Texts mails, questions, reviews")
    _tab_to(visitor, "button", "Make the task")
    assert _focus_is_visible(visitor)
    visitor.press("Enter")
    _tab_to(visitor, "textbox", "Texts")
    page.keyboard.insert_text("a red apple\na green apple\na red car\na blue car\na fast car")
    visitor.press("Control+Enter")
    visitor.shows("5 rows added")

    _tab_to(visitor, "link", "Label")
    visitor.press("Enter")
    for _ in range(5):
        page.locator(".answers").wait_for()
        text = page.locator(".text.large").inner_text()
        label = "fruit" if "apple" in text else "vehicle"
        key = page.locator(f"button.answer:has(bdi:text-is('{label}')) kbd")
        if key.count():
            visitor.press(key.inner_text())
        else:
            visitor.press("0")
            page.keyboard.type(label)
            visitor.press("Enter")
        page.wait_for_function(
            "old => document.querySelector('.text.large')?.textContent !== old", arg=text
        )
    visitor.shows("Every row has a label")
    classes = httpx.get(f"{address}v1/tasks/keys/classes").json()
    assert classes == {"fruit": 2, "vehicle": 3}

    _tab_to(visitor, "link", "Classes")
    visitor.press("Enter")
    _tab_to(visitor, "button", "Rename fruit")
    visitor.press("Enter")
    page.get_by_label("New name").wait_for()
    page.keyboard.type("apple")
    visitor.press("Enter")
    visitor.shows("fruit is called apple now.")
    assert httpx.get(f"{address}v1/tasks/keys/classes").json() == {"apple": 2, "vehicle": 3}


def test_skipped_rows_come_again_and_undo_takes_an_answer_back(visitor, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "skips"})
        rows = [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]
        waiting = [{"text": text} for text in ("very good", "very bad")]
        client.post("/v1/tasks/skips/rows", json={"rows": rows + waiting})
        state = client.get("/v1/tasks/skips").json()["state"]
        visitor.open("skips/label")
        page = visitor.page
        shown = page.locator(".text.large")
        first = shown.inner_text()
        visitor.press("s")
        page.get_by_text({"very good": "very bad", "very bad": "very good"}[first]).wait_for()
        visitor.press("s")
        page.locator(".text.large", has_text=first).wait_for()
        visitor.press("1")
        page.get_by_text("1 row waits").wait_for()
        # a screen reader reads what has the focus: the row that comes next
        other = {"very good": "very bad", "very bad": "very good"}[first]
        assert page.get_by_role("region", name=other).evaluate("region => region.matches(':focus')")
        assert client.get("/v1/tasks/skips").json()["state"] != state
        visitor.press("u")
        page.get_by_text("2 rows wait").wait_for()
        assert client.get("/v1/tasks/skips").json()["state"] == state


def test_keys_write_in_fields_and_do_nothing_else_there(visitor, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "typing"})
        client.post(
            "/v1/tasks/typing/rows", json={"rows": [{"text": "a", "label": "b"}, {"text": "c"}]}
        )
        visitor.open("typing/label")
        visitor.press("n")
        visitor.page.get_by_label("Label", exact=True).wait_for()
        visitor.page.keyboard.type("1us")
        visitor.press("Escape")
        visitor.page.locator("dialog").wait_for(state="detached")
        assert client.get("/v1/tasks/typing").json()["waiting"] == 1


def test_one_key_corrects_a_label_and_one_keeps_it(visitor, address):
    texts = {"cat": "cats purr and meow", "dog": "dogs bark and fetch"}
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "doubts"})
        rows = [
            {"text": f"{text} {number}", "label": label}
            for label, text in texts.items()
            for number in range(8)
        ]
        rows[0]["label"] = rows[1]["label"] = "dog"
        ids = client.post("/v1/tasks/doubts/rows", json={"rows": rows}).json()["ids"]
        visitor.open("doubts/suspects")
        first = visitor.page.locator(".text.large").inner_text()
        visitor.press("c")
        visitor.page.get_by_text(f"{first} is cat now.").wait_for()
        second = visitor.page.locator(".text.large").inner_text()
        visitor.press("k")
        visitor.page.get_by_text(f"{second} stays dog").wait_for()
        labels = {
            row["text"]: (row["label"], row["confirmed"])
            for row in client.get("/v1/tasks/doubts/rows").json()["rows"]
            if row["id"] in ids[:2]
        }
        assert labels == {first: ("cat", False), second: ("dog", True)}


def test_while_a_change_is_computed_its_row_is_gone_and_keys_are_left_out(visitor, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "slow"})
        rows = [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]
        rows += [{"text": f"waiting {number}"} for number in range(4)]
        client.post("/v1/tasks/slow/rows", json={"rows": rows})
        visitor.open("slow/label")
        page, held = visitor.page, []

        def hold(route):
            held.append(route) if route.request.method == "PATCH" else route.continue_()

        page.route("**/v1/tasks/slow/rows/*", hold)
        page.locator(".text.large").wait_for()
        visitor.press("1")
        page.locator("section[aria-busy] >> text=Working…").wait_for()
        assert page.locator(".text.large").count() == 0
        visitor.press("2")
        visitor.shows("Still working")
        visitor.press("n")
        page.keyboard.type("s1u")  # a label, and no keys
        assert page.get_by_label("Label", exact=True).input_value() == "s1u"
        visitor.press("Escape")
        page.wait_for_timeout(100)
        assert len(held) == 1
        visitor.press("u")  # waits for the change that it takes back
        held[0].continue_()
        visitor.shows("The last change was taken back.")
        assert client.get("/v1/tasks/slow").json()["waiting"] == 4


def test_undo_ends_where_a_person_was_forgotten(visitor, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "ends"})
        row = {"text": "a", "label": "b", "source": "ann"}
        client.post("/v1/tasks/ends/rows", json={"rows": [row, row | {"source": "bob"}]})
        client.post("/v1/tasks/ends/forget-source", json={"source": "ann"}).raise_for_status()
        visitor.open("ends/history")
        visitor.shows("cannot be taken back, so neither can those before it.")
        assert visitor.button("Undo the last change").is_disabled()
        client.post("/v1/tasks/ends/rows", json={"rows": [{"text": "c", "label": "b"}]})
        visitor.open("ends/history")
        assert visitor.button("Undo the last change").is_enabled()
