"""A name that is written from right to left turns round nothing beside it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.support.databases import ROOT

NAME = "\u0645\u0641\u062a\u0627\u062d"  # Arabic for key
BESIDE = {
    "an id": f'<a href="#">{NAME}</a> <span class="id" id="it">01a21b2e…08b2</span>',
    "an address": f'<strong>{NAME}</strong> <span class="address" id="it">192.0.2.7</span>',
    "a moment": f'<strong>{NAME}</strong> <time id="it">27 Nov 2026</time>',
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_beside_a_name_stays_in_one_piece_after_it(chromium: Browser, what: str) -> None:
    page = chromium.new_page()
    page.set_content(f"<style>{(ROOT / 'static/app.css').read_text()}</style><p>{BESIDE[what]}</p>")

    pieces, name, it = page.evaluate(
        """() => {
            const range = document.createRange(), it = document.querySelector("#it")
            range.selectNodeContents(it)
            const name = document.querySelector("p > *").getBoundingClientRect()
            return [range.getClientRects().length, name.right, it.getBoundingClientRect().left]
        }"""
    )

    page.close()
    assert pieces == 1
    assert it >= name or what == "an address", "an address has a line of its own"
