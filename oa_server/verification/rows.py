"""The second circle of proof: the log holds the digest of every protected row as its last act left it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from crypto.errors import CryptoError
from oa_server.audit.models import AuditRecord
from oa_server.deadlines import models as deadlines
from oa_server.departments import models as departments
from oa_server.documents import models as documents
from oa_server.files.models import StoredFile
from oa_server.identity import models as identity
from oa_server.installation.models import Setting
from oa_server.pki import models as pki
from oa_server.proposals import models as proposals
from oa_server.signing.models import Seal, Signature
from oa_server.storage.fields import Model
from oa_server.storage.protection import digest_of, name_of, pages_of, rows_of
from oa_server.verification.faults import Fault
from oa_server.workflow.models import Route, RouteTemplate

# Every table in which nothing may change without an act in the log. Requests pass, and of tasks and sessions all but
# whose they are (`rights`); these stay.
PROTECTED: tuple[type[Model], ...] = (
    identity.Organ,
    identity.Remit,
    identity.Unit,
    identity.Official,
    identity.Post,
    identity.Responsibility,
    identity.RoleChange,
    identity.Duty,
    identity.ApiClient,
    Setting,
    pki.KeyDevice,
    pki.DeviceEntry,
    pki.Certificate,
    pki.CertificateRequest,
    pki.CertifiedKey,
    pki.Enrolment,
    pki.TrustAnchor,
    pki.Crl,
    departments.Webhook,
    deadlines.CalendarYear,
    deadlines.LocalHoliday,
    deadlines.OfficeSchedule,
    deadlines.Clock,
    deadlines.ClockEvent,
    Seal,
    Signature,
    StoredFile,
    RouteTemplate,
    Route,
    documents.OutgoingDocument,
    documents.Recipient,
    documents.DocumentVersion,
    documents.Rendition,
    documents.Opinion,
    documents.NumberSeries,
    documents.NumberLedger,
    documents.Consignment,
    documents.IncomingDocument,
    proposals.Sitting,
    proposals.SittingLimit,
    proposals.Member,
    proposals.Proposal,
    proposals.ProposalVersion,
    proposals.Proposer,
    proposals.Review,
    proposals.Assignment,
    proposals.Contact,
    proposals.Point,
    proposals.PointReview,
    proposals.Reply,
    proposals.Feedback,
    proposals.UnitAlias,
    proposals.ImportBatch,
    proposals.ImportedRow,
)


async def row_faults() -> AsyncIterator[Fault]:
    """Protected rows against the digests that the log holds of them."""
    recorded: dict[str, str] = {}
    gone: set[str] = set()
    async for record in rows_of(AuditRecord):
        recorded.update(record.facts.get("rows", {}))
        gone.update(record.facts.get("removed", ()))
    for model in PROTECTED:
        async for page in pages_of(model):
            for row in page.rows:
                expected = recorded.pop(name_of(row), None)
                if expected is None:
                    yield Fault(name_of(row), "数据库中多出一行")
                elif expected != _digest(row):
                    yield Fault(name_of(row), "数据被改动")
            for name in page.spoilt:
                recorded.pop(name, None)
                yield Fault(name, "数据被改动，已无法读取")
    for name in recorded.keys() - gone:
        yield Fault(name, "数据被删除")


def _digest(row: Model) -> str:
    """The digest of the row as it stands; a value that no act could have left has none."""
    try:
        return digest_of(row)
    except CryptoError:
        return ""
