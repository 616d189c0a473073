"""Whether a webhook is the server's: Standard Webhooks, version `v1a` (Ed25519 over `id.timestamp.body`)."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from oa_sdk.errors import WebhookRefused
from oa_sdk.shapes import Event

TOLERANCE = 300.0  # seconds between the two clocks, and on the way
_KEY, _SIGNATURE = "whpk_", "v1a,"


def verify_webhook(headers: Mapping[str, str], body: bytes, keys: Sequence[str], *, at: float | None = None) -> Event:
    """The event in a webhook that one of the keys (`events.webhook_keys()`) signed within five minutes of `at` (seconds since
    1970; now). `body` are the bytes as they came. Raises WebhookRefused; ValueError for a key that is none.

    The same event may come again: an `id` or a number that was dealt with is answered with 2xx and passed over.
    """
    given = {name.lower(): value for name, value in headers.items()}
    moment = given.get("webhook-timestamp", "")
    if (
        not (moment.isascii() and moment.isdigit())
        or abs(int(moment) - (time.time() if at is None else at)) > TOLERANCE
    ):
        raise WebhookRefused("推送已过时，或两边时间不一致")
    message = f"{given.get('webhook-id', '')}.{moment}.".encode() + body
    shown = [part.removeprefix(_SIGNATURE) for part in given.get("webhook-signature", "").split(" ")]
    if not any(_signed(_public(key), signature, message) for key in keys for signature in shown):
        raise WebhookRefused("推送的签名不是服务器的")
    try:
        return msgspec.json.decode(body, type=Event)
    except msgspec.DecodeError as error:
        raise WebhookRefused("推送的内容不是事件") from error


def _public(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix(_KEY), validate=True))


def _signed(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True
