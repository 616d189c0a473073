"""Webhooks as a receiver checks them, signed by the key of a real server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from crypto.webhooks import WebhookKey
from oa_sdk import WebhookRefused, verify_webhook
from oa_server.departments.delivery import Sender
from oa_server.storage.secrets import SecretStore
from tests.sdk.conftest import Front, Site, drafted


def sent(site: Site, desk) -> tuple[Mapping[str, str], bytes, list[str]]:
    """An event as the server would send it, and the keys that it names."""
    drafted(site, desk)
    event = desk.all(desk.office.events.after())[-1]
    body = msgspec.json.encode(event)
    secrets = SecretStore(site.city.settings.data_dir / "secrets")
    sender = Sender(site.city.settings.origin, [WebhookKey(secrets.get("webhook-key"))])
    return sender.headers(event.id, body), body, desk.do(desk.office.events.webhook_keys())


def test_what_the_server_sends_is_taken(site: Site, front: Front) -> None:
    """An event under a signature of one of the server's keys is given out, however its headers are written."""
    headers, body, keys = sent(site, front())
    other = WebhookKey(bytes(32)).public
    event = verify_webhook({name.title(): value for name, value in headers.items()}, body, [other, *keys])
    assert event.id == headers["webhook-id"]
    assert event.type == "oa.documents.drafted"


def test_what_others_send_is_refused(site: Site, front: Front) -> None:
    """Another key, another body, another name, another moment, no signature, or one that is no base64: none is taken."""
    headers, body, keys = sent(site, front())
    later = (datetime.now(UTC) + timedelta(minutes=6)).timestamp()
    for given, text, known, at in (
        (headers, body, [WebhookKey(bytes(32)).public], None),
        (headers, body, [], None),
        (headers, body + b" ", keys, None),
        ({**headers, "webhook-id": "another"}, body, keys, None),
        ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body, keys, None),
        ({**headers, "webhook-timestamp": "１"}, body, keys, None),
        ({**headers, "webhook-signature": "v1a,?"}, body, keys, None),
        ({}, body, keys, None),
        (headers, body, keys, later),
    ):
        with pytest.raises(WebhookRefused):
            verify_webhook(given, text, known, at=at)
    with pytest.raises(ValueError):
        verify_webhook(headers, body, ["whpk_x"])


def test_what_is_no_event(site: Site) -> None:
    """Even under a good signature, what is no event is refused."""
    key = WebhookKey(bytes(32))
    with pytest.raises(WebhookRefused):
        verify_webhook(key.headers("1", datetime.now(UTC), b"{}"), b"{}", [key.public])
