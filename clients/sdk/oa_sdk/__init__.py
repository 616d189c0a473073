"""The SDK for departments' systems: one signs in with a registered key, and drafts, attaches, submits and receives.

    with Office("https://oa.example.gov.cn", System("caizheng", PemKey.read("caizheng.pem"))) as office:
        for row in office.documents.list(state="under_review"):
            print(row.title)

`AsyncOffice` is the same for asyncio: `await office.documents.get(…)`, `async for row in office.documents.list()`.

What is to be asked, and what is done with the answer, is written once: each operation is a generator that yields requests and
takes answers (`wire`), and never waits or connects. A driver (`drivers`) carries them out, one blocking, one for asyncio.

Vocabulary: 接入系统 = system (client), 公文 = document, 草稿 = draft, 附件 = attachment, 收文 = incoming, 签收情况 =
receipts (consignments), 回执 = receipt, 事件 = event.
"""

from oa_sdk.errors import (
    Conflict,
    ConnectionLost,
    Damaged,
    Denied,
    Gone,
    Invalid,
    KeyRefused,
    NotFound,
    NotSignedIn,
    OaError,
    Refused,
    Stale,
    TooMany,
    Unavailable,
    Unreadable,
    WebhookRefused,
)
from oa_sdk.office import AsyncOffice, Office, tls_with
from oa_sdk.shapes import (
    Ability,
    Attachment,
    Body,
    Consignment,
    Consignments,
    Document,
    DocumentRow,
    Elements,
    Event,
    File,
    Heading,
    Incoming,
    IncomingRow,
    Named,
    Organ,
    OrganRow,
    Paragraph,
    Receipt,
    Table,
)
from oa_sdk.signin import PemKey, Signer, System
from oa_sdk.webhooks import verify_webhook
from oa_sdk.wire import Patience

__all__ = [
    "Ability",
    "AsyncOffice",
    "Attachment",
    "Body",
    "Conflict",
    "ConnectionLost",
    "Consignment",
    "Consignments",
    "Damaged",
    "Denied",
    "Document",
    "DocumentRow",
    "Elements",
    "Event",
    "File",
    "Gone",
    "Heading",
    "Incoming",
    "IncomingRow",
    "Invalid",
    "KeyRefused",
    "Named",
    "NotFound",
    "NotSignedIn",
    "OaError",
    "Office",
    "Organ",
    "OrganRow",
    "Paragraph",
    "Patience",
    "PemKey",
    "Receipt",
    "Refused",
    "Signer",
    "Stale",
    "System",
    "Table",
    "TooMany",
    "Unavailable",
    "Unreadable",
    "WebhookRefused",
    "tls_with",
    "verify_webhook",
]
