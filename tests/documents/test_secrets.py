"""Classified documents, where an installation may hold them: what they must say, and what their pages carry."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pdfplumber
import pytest

from oa_server.settings import Settings
from tests.city import BODY, Browser
from tests.conftest import running
from tests.documents.cleared import clear
from tests.journey import Journey

MARK = "江城市人民政府办公室文件"


@pytest.fixture
def raised(settings: Settings) -> Settings:
    """An installation that may hold what is 机密."""
    return msgspec.structs.replace(settings, classification_ceiling="secret")


async def marks(browser: Browser, elements: dict[str, Any]) -> list[str]:
    """The lines at the head of the first page, down to the mark of the organ."""
    shown = await browser.send("POST", "/api/documents/preview", json={"elements": elements, "body": BODY})
    assert shown.status_code == 200, shown.text
    with pdfplumber.open(io.BytesIO(shown.content)) as pdf:
        lines = pdf.pages[0].extract_text_lines()
    return [line["text"] for line in lines if line["top"] < 72 * 72 / 25.4]


async def test_marks_of_a_secret(raised: Settings) -> None:
    """Copy number, class with its years, and urgency stand at the head; what is merely internal carries no such mark."""
    async with running(raised) as city:
        wang = await city.signed_in("wang")
        secret = city.elements(classification="secret", classify_years=10, copy_no="000012", urgency="urgent")
        assert await marks(wang, secret) == ["000012", "机密★10年", "加急", MARK]
        internal = city.elements(classification="internal", classify_years=10, copy_no="000012")
        assert await marks(wang, internal) == [MARK]


@pytest.mark.norm("M-8.4c")
async def test_a_secret_without_its_marks(raised: Settings) -> None:
    """It does not go to review before it says for how long it is one and which copy it is; then the leader signs both."""
    async with running(raised) as city:
        await clear(city, "cleared_important", "wang", "li", "chen", "zhou", "feng")
        story = Journey(city)
        bare = await story.drafts(classification="secret")
        refused = (await (await story.desk("wang")).act(bare, "submit")).json()
        assert [finding["code"] for finding in refused["facts"]["all"]] == [
            "documents.no_secrecy_years",
            "documents.no_copy_number",
        ]
        marked = await story.drafts(classification="secret", classify_years=20, copy_no="000001")
        done = (await story.does("wang", "submit", marked)).json()
        assert done["state"] == "under_review"
        assert done["elements"]["copy_no"] == "000001"
