"""Signatures over what is sent to others' servers: Standard Webhooks, version `v1a` (Ed25519).

What is signed is `id.timestamp.body`: an event that was kept and sent again later, or under another name, does not verify.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import KeyRefused, SignatureRefused

VERSION = "v1a"
TOLERANCE = 300  # seconds between the two clocks, and on the way
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


def verify_webhook(headers: Mapping[str, str], body: bytes, keys: Sequence[str], *, at: datetime) -> None:
    """Raise SignatureRefused unless one of the keys (`whpk_…`) signed this body under these headers, within five minutes of
    `at`. Raises KeyRefused for a key that is none."""
    event_id, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isascii() or not moment.isdigit() or abs(int(moment) - at.timestamp()) > TOLERANCE:
        raise SignatureRefused("webhook.stale", "the webhook is too old, or the clocks differ")
    shown = [part.removeprefix(f"{VERSION},") for part in headers.get("webhook-signature", "").split(" ")]
    message = _signed(event_id, moment, body)
    if not any(_is_good(_public(key), signature, message) for key in keys for signature in shown):
        raise SignatureRefused("webhook.signature", "no known key signed this webhook")


def _signed(event_id: str, moment: str, body: bytes) -> bytes:
    return f"{event_id}.{moment}.".encode() + body


def _public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix(_PUBLIC), validate=True))
    except ValueError as error:
        raise KeyRefused("key.unreadable", "this is no public key for webhooks") from error


def _is_good(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error):
        return False
    return True
