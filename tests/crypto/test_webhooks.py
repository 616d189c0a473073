"""Signatures over webhooks, as Standard Webhooks has them; what a receiver believes is tested with the receiver's package."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import KeyRefused
from crypto.webhooks import WebhookKey

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
KEY = WebhookKey(bytes(range(32)))


@given(st.binary(max_size=200), st.text(max_size=30))
def test_what_is_signed(body: bytes, event_id: str) -> None:
    """The signature is over name, moment and body, and over nothing less: it fits no other body."""
    headers = KEY.headers(event_id, NOW, body)
    version, _, signature = headers["webhook-signature"].partition(",")
    assert (version, headers["webhook-id"], headers["webhook-timestamp"]) == (
        "v1a",
        event_id,
        str(int(NOW.timestamp())),
    )
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEY.public.removeprefix("whpk_")))
    message = f"{event_id}.{int(NOW.timestamp())}.".encode() + body
    public.verify(base64.b64decode(signature), message)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), message + b" ")


def test_keys_that_are_none() -> None:
    """A key of another length is refused as such."""
    with pytest.raises(KeyRefused):
        WebhookKey(b"short")
