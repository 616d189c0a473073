"""Fonts opened once, the cast, and a way to render them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oa_server.documents.layout.fonts import FontLibrary
from oa_server.documents.layout.model import DocumentLayout
from oa_server.documents.layout.render import RenderedPages, render
from tests.documents.layout.cast import FONTS, MADE_AT, make_notice, make_request

Render = Callable[..., RenderedPages]


@pytest.fixture(scope="session")
def fonts() -> FontLibrary:
    return FontLibrary([FONTS])


@pytest.fixture
def rendered(fonts: FontLibrary) -> Render:
    """Renders final pages unless told otherwise."""

    def call(layout: DocumentLayout, **options: Any) -> RenderedPages:
        return render(layout, **{"fonts": fonts, "final": True, "made_at": MADE_AT} | options)

    return call


@pytest.fixture
def notice() -> DocumentLayout:
    return make_notice()


@pytest.fixture
def request_upward() -> DocumentLayout:
    return make_request()
