"""The upload button: what the kernel makes of the pieces, and what a browser sends."""

from __future__ import annotations

import base64

import pytest
from browser import chromium  # noqa: F401

from acestep_nb.widgets.upload import Upload

RUN = """async ([source, state]) => {
  const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
  window.sent = [];
  const send = (message, _, buffers) => {
    if (window.lost) throw new Error("no kernel");
    window.sent.push([message, text(buffers[0])]);
  };
  const { default: widget } = await import("data:text/javascript;base64," + source);
  const on = (_, react) => { window.hears = react; };
  widget.render({ model: { get: (name) => state[name], send, on }, el: document.getElementById("widget") });
}"""


def piece(begin: int, data: bytes, size: int = 5, name: str = "a.wav"):
    return {"kind": "piece", "name": name, "size": size, "begin": begin}, [memoryview(data)]


def test_a_file_is_heard_once_it_is_whole():
    heard = []
    button = Upload(lambda name, data: heard.append((name, data)), description="Upload")
    for message in (piece(0, b"abc"), piece(3, b"de"), piece(0, b"vwxyz")):
        button._handle_custom_msg(*message)
    assert heard == [("a.wav", b"abcde"), ("a.wav", b"vwxyz")]


def test_one_that_was_cut_is_forgotten_when_the_next_begins():
    heard = []
    button = Upload(lambda name, data: heard.append(data))
    for message in (piece(0, b"abc"), piece(0, b"vw"), piece(2, b"xyz"), piece(0, b"", 0)):
        button._handle_custom_msg(*message)
    button._handle_custom_msg({"kind": "other"}, [])
    assert heard == [b"vwxyz", b""]


@pytest.mark.parametrize("other", [("b.wav", 5), ("a.wav", 7)])
def test_two_files_at_once_are_not_mixed_and_the_button_says_so(other, monkeypatch):
    heard, told = [], []
    button = Upload(lambda name, data: heard.append(data))
    monkeypatch.setattr(button, "send", told.append)
    name, size = other
    for message in (piece(0, b"abc"), piece(0, b"vwx", size, name), piece(3, b"de")):
        button._handle_custom_msg(*message)
    assert heard == [] and told == [{"kind": "mixed"}]
    button._handle_custom_msg(*piece(3, b"yz", size, name))
    assert heard == [] and len(told) == 2, "both are to be sent again"
    for message in (piece(0, b"abc"), piece(3, b"de")):
        button._handle_custom_msg(*message)
    assert heard == [b"abcde"] and len(told) == 2


@pytest.fixture
def page(chromium):  # noqa: F811
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()


@pytest.mark.ui
def test_the_browser_sends_a_large_file_in_pieces_and_the_same_one_again(page):
    button = Upload(lambda *_file: None, description="<b>", accept="audio/*")
    page.set_content('<div id="widget"></div>')
    source = base64.b64encode(button._esm.encode()).decode()
    state = {"description": button.description, "accept": button.accept, "words": button.words}
    page.evaluate(RUN, [source, state])
    assert page.get_by_role("button").inner_text() == "<b>"
    assert page.locator("input").get_attribute("accept") == "audio/*"
    data = bytes(range(256)) * 10_000
    for time in (1, 2):
        page.locator("input").set_input_files([{"name": "夜.wav", "mimeType": "audio/wav", "buffer": data}])
        page.wait_for_function("count => window.sent.length === count", arg=3 * time)
    sent = page.evaluate("window.sent")
    assert [message["begin"] for message, _ in sent] == [0, 2**20, 2**21] * 2
    assert {(message["name"], message["size"]) for message, _ in sent} == {("夜.wav", len(data))}
    assert b"".join(base64.b64decode(text) for _, text in sent[:3]) == data
    page.evaluate("window.lost = true")
    page.locator("input").set_input_files([{"name": "a.wav", "mimeType": "audio/wav", "buffer": b"a"}])
    page.get_by_text(button.says[0]).wait_for()
    assert page.get_by_role("button").is_enabled()
    page.evaluate("window.hears({ kind: 'mixed' })")
    page.get_by_text(button.says[1]).wait_for()
