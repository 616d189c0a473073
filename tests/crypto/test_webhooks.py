"""Signatures over webhooks: what a receiver believes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import KeyRefused, SignatureRefused
from crypto.webhooks import TOLERANCE, WebhookKey, verify_webhook

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
KEY = WebhookKey(bytes(range(32)))


@given(st.binary(max_size=200), st.text(max_size=30))
def test_what_is_signed_is_believed(body: bytes, event_id: str) -> None:
    """Any body under any name verifies with the public key, beside other keys and other signatures too."""
    headers = KEY.headers(event_id, NOW, body)
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']} v9,x"
    verify_webhook(headers, body, [WebhookKey(bytes(32)).public, KEY.public], at=NOW + timedelta(seconds=10))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt-2"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1a,AAAA"},
        {"webhook-signature": "v1a,?"},
    ],
)
def test_what_was_changed_is_not(change: dict[str, str]) -> None:
    """Another name, another moment or another signature is refused; so is another body."""
    headers = KEY.headers("evt-1", NOW, b"{}")
    for shown, body in (({**headers, **change}, b"{}"), (headers, b"{ }")):
        with pytest.raises(SignatureRefused) as refused:
            verify_webhook(shown, body, [KEY.public], at=NOW)
        assert refused.value.code == "webhook.signature"


@pytest.mark.parametrize("moment", ["", "x", "-1", "１２", "99999999999999999999"])
def test_a_moment_that_is_none(moment: str) -> None:
    """Without a moment, or with one that is far away, nothing is believed; an event sent again later is not either."""
    headers = KEY.headers("evt-1", NOW, b"{}")
    late = NOW + timedelta(seconds=TOLERANCE + 1)
    for shown, at in (({**headers, "webhook-timestamp": moment}, NOW), (headers, late)):
        with pytest.raises(SignatureRefused) as refused:
            verify_webhook(shown, b"{}", [KEY.public], at=at)
        assert refused.value.code == "webhook.stale"


def test_keys_that_are_none() -> None:
    """A key of another length, or a text that is no key, is refused as such."""
    with pytest.raises(KeyRefused):
        WebhookKey(b"short")
    for text in ("whpk_AAAA", "?", ""):
        with pytest.raises(KeyRefused):
            verify_webhook(KEY.headers("e", NOW, b""), b"", [text], at=NOW)
