"""Signatures over what is sent to others' servers: Standard Webhooks, version `v1a` (Ed25519).

What is signed is `id.timestamp.body`: an event that was kept and sent again later, or under another name, does not verify.
"""

from __future__ import annotations

import base64
from datetime import datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.errors import KeyRefused

VERSION = "v1a"
_PUBLIC = "whpk_"


class WebhookKey:
    """A private key for webhooks, made from its 32 bytes. Raises KeyRefused for another number of them."""

    def __init__(self, seed: bytes) -> None:
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        except ValueError as error:
            raise KeyRefused("key.unreadable", "a webhook key has 32 bytes") from error

    @property
    def public(self) -> str:
        """The public key as receivers enter it: `whpk_` and base64."""
        encoding, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return _PUBLIC + base64.b64encode(self._key.public_key().public_bytes(encoding, form)).decode()

    def headers(self, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The headers that go with an event: its name, the moment, and the signature over both and the body."""
        moment = str(int(at.timestamp()))
        signature = base64.b64encode(self._key.sign(_signed(event_id, moment, body))).decode()
        return {
            "webhook-id": event_id,
            "webhook-timestamp": moment,
            "webhook-signature": f"{VERSION},{signature}",
        }


def _signed(event_id: str, moment: str, body: bytes) -> bytes:
    return f"{event_id}.{moment}.".encode() + body
