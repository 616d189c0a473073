"""Official documents, outgoing and incoming, and what their life leaves behind."""

from __future__ import annotations

from oa_server.documents.states import (
    Classification,
    DocKind,
    IncomingState,
    LedgerState,
    OutgoingState,
    Publicity,
    RecipientRole,
    RenditionKind,
    Urgency,
)
from oa_server.storage import fields


class OutgoingDocument(fields.Model):
    """发文. The elements of the regulation's article 9 as they stand now; `DocumentVersion` keeps every state they had."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.ForeignKey("oa.Unit")
    drafter = fields.ForeignKey("oa.Official")
    state = fields.State(OutgoingState, db_index=True)
    kind = fields.State(DocKind)
    urgency = fields.State(Urgency)
    classification = fields.State(Classification)
    classify_years = fields.Number(null=True)
    copy_no = fields.Text(6, default="", db_default="")
    title = fields.Text(300)
    signer = fields.ForeignKey("oa.Official", null=True)
    note = fields.SealedText(200, default="")
    publicity = fields.State(Publicity)
    printing_organ = fields.Text(120, default="")
    main_recipients_as = fields.Text(200, default="", db_default="")
    copies_to_as = fields.Text(200, default="", db_default="")
    body = fields.SealedJson()
    version_no = fields.Number(default=1)
    row_version = fields.Number(default=1)
    doc_no = fields.Text(64, default="", db_index=True)
    doc_date = fields.Day(null=True)
    text_sha256 = fields.Digest(null=True)
    pages_sha256 = fields.Digest(null=True)
    frozen_sha256 = fields.Digest(null=True)
    sealed_sha256 = fields.Digest(null=True)
    created_at = fields.Moment()
    updated_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "outgoing_document"


class Recipient(fields.Model):
    """主送、抄送: one organ a document goes to."""

    id = fields.Key()
    document = fields.ForeignKey("oa.OutgoingDocument")
    organ = fields.ForeignKey("oa.Organ")
    role = fields.State(RecipientRole)
    position = fields.Number()

    class Meta:
        app = "oa"
        table = "recipient"
        unique_together = (("document", "organ"),)


class DocumentVersion(fields.Model):
    """稿本: elements and body as they were submitted, never changed."""

    id = fields.Key()
    document = fields.ForeignKey("oa.OutgoingDocument")
    no = fields.Number()
    elements = fields.SealedJson()
    body = fields.SealedJson()
    text_sha256 = fields.Digest()
    pages_sha256 = fields.Digest()
    author = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "document_version"
        unique_together = (("document", "no"),)


class Rendition(fields.Model):
    """版式文件: rendered pages, addressed by the digest of their bytes and never rendered again."""

    id = fields.Key()
    document = fields.ForeignKey("oa.OutgoingDocument")
    kind = fields.State(RenditionKind)
    sha256 = fields.Digest(db_index=True)
    size = fields.Number()
    pages = fields.Number()
    seal_page = fields.Number(default=0)
    seal_box = fields.Json(default=list)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "rendition"
        unique_together = (("document", "sha256"),)


class Opinion(fields.Model):
    """意见: signed, chained to the one before it by digest, superseded but never changed."""

    id = fields.Key()
    subject_type = fields.Text(32)
    subject_id = fields.Id(db_index=True)
    step = fields.Text(64)
    step_title = fields.Text(64)
    official = fields.ForeignKey("oa.Official")
    actor_name = fields.Text(60)
    organ_name = fields.Text(120)
    decision = fields.Text(32)
    text = fields.SealedText(2000, default="")
    at = fields.Moment()
    signature = fields.ForeignKey("oa.Signature")

    class Meta:
        app = "oa"
        table = "opinion"


class NumberSeries(fields.Model):
    """代字: one series of an organ; its row is the lock under which numbers are given."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    word = fields.Text(20, unique=True)

    class Meta:
        app = "oa"
        table = "number_series"


class NumberLedger(fields.Model):
    """编号台账: every number ever given, one row each; a void number keeps its row and its reason."""

    id = fields.Key()
    series = fields.ForeignKey("oa.NumberSeries")
    year = fields.Number()
    seq = fields.Number()
    document = fields.ForeignKey("oa.OutgoingDocument")
    state = fields.State(LedgerState)
    reason = fields.SealedText(200, default="")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "number_ledger"
        unique_together = (("series", "year", "seq"),)


class Consignment(fields.Model):
    """投递: one document on its way to one organ; the sender's board shows these rows."""

    id = fields.Key()
    document = fields.ForeignKey("oa.OutgoingDocument")
    organ = fields.ForeignKey("oa.Organ")
    role = fields.State(RecipientRole)
    sha256 = fields.Digest()
    sent_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "consignment"
        unique_together = (("document", "organ"),)


class IncomingDocument(fields.Model):
    """收文: the receiving organ's record of one consignment, from its arrival to its closing."""

    id = fields.Key()
    consignment = fields.ForeignKey("oa.Consignment", unique=True)
    organ = fields.ForeignKey("oa.Organ")
    state = fields.State(IncomingState)
    title = fields.Text(300)
    doc_no = fields.Text(64)
    source_organ = fields.Text(120)
    kind = fields.State(DocKind)
    urgency = fields.State(Urgency)
    classification = fields.State(Classification)
    role = fields.State(RecipientRole)
    sha256 = fields.Digest()
    arrived_at = fields.Moment()
    signed_for_at = fields.Moment(null=True)
    signed_for_by = fields.Text(60, null=True)
    receipt = fields.ForeignKey("oa.Signature", null=True)
    refusal_code = fields.Text(32, null=True)
    refusal_text = fields.SealedText(500, null=True)
    receive_no = fields.Text(32, null=True)
    proposal = fields.SealedText(2000, default="")
    leader = fields.ForeignKey("oa.Official", null=True)
    unit = fields.ForeignKey("oa.Unit", null=True)
    result = fields.SealedText(2000, default="")
    closed_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "incoming_document"
        unique_together = (("organ", "receive_no"),)
        indexes = (fields.Index(fields=("organ_id", "state", "arrived_at")),)


class ReceiveCounter(fields.Model):
    """收文号: the last number an organ has given in a year; its row is the lock."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    year = fields.Number()
    last_given = fields.Number(default=0)

    class Meta:
        app = "oa"
        table = "receive_counter"
        unique_together = (("organ", "year"),)
