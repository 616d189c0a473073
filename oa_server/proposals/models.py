"""Sittings, proposals, assignments and feedback."""

from __future__ import annotations

from oa_server.proposals.limits import LimitUnit
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    AssignmentState,
    Consent,
    ContactForm,
    FeedbackState,
    Forwarding,
    Occasion,
    ProposalForm,
    ProposalKind,
    ProposalState,
    RejectionCode,
    ReplyPublicity,
    ReplyState,
    ResultClass,
    Satisfaction,
)
from oa_server.storage import fields


class Sitting(fields.Model):
    """届次: one meeting of an assembly, and the three organs that see to its proposals.

    The secretariat registers, reviews and files; the dispatching organ assigns to organs; oversight checks their replies.
    """

    id = fields.Key()
    body = fields.State(Assembly)
    term = fields.Number()
    session = fields.Number()
    title = fields.Text(120)
    opens_on = fields.Day()
    closes_on = fields.Day()
    secretariat = fields.ForeignKey("oa.Organ")
    dispatching = fields.ForeignKey("oa.Organ")
    oversight = fields.ForeignKey("oa.Organ")
    review_levels = fields.Number(default=1)
    row_version = fields.Number(default=1)
    created_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "sitting"
        unique_together = (("body", "term", "session"),)


class SittingLimit(fields.Model):
    """One limit of a sitting, in place of the one it began with; the newest counts."""

    id = fields.Key()
    sitting = fields.ForeignKey("oa.Sitting")
    limit = fields.Text(32)
    unit = fields.State(LimitUnit)
    quantity = fields.Number()
    source = fields.Text(200)
    entered_by = fields.Id()
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "sitting_limit"


class Member(fields.Model):
    """代表、委员: who may put something forward at a sitting. Some have a certificate and sign in; others bring paper."""

    id = fields.Key()
    sitting = fields.ForeignKey("oa.Sitting")
    code = fields.Text(32)
    name = fields.Text(60)
    delegation = fields.Text(60, default="")
    party = fields.Text(40, default="")
    employer = fields.Text(120, default="")
    duty = fields.Text(60, default="")
    phone = fields.SealedText(40, default="")
    address = fields.SealedText(200, default="")
    official = fields.ForeignKey("oa.Official", null=True)

    class Meta:
        app = "oa"
        table = "member"
        unique_together = (("sitting", "code"), ("sitting", "official"))


class CaseCounter(fields.Model):
    """案号: the last number that a sitting has given to a kind; its row is the lock."""

    id = fields.Key()
    sitting = fields.ForeignKey("oa.Sitting")
    kind = fields.State(ProposalKind)
    last_given = fields.Number(default=0)

    class Meta:
        app = "oa"
        table = "case_counter"
        unique_together = (("sitting", "kind"),)


class Proposal(fields.Model):
    """议案、建议、提案 as it stands; `ProposalVersion` keeps every text that was submitted.

    `text_sha256` is of the text that proposers stand behind. `entered_by` is whoever typed it, who is not its author.
    """

    id = fields.Key()
    sitting = fields.ForeignKey("oa.Sitting")
    kind = fields.State(ProposalKind)
    form = fields.State(ProposalForm)
    occasion = fields.State(Occasion)
    state = fields.State(ProposalState, db_index=True)
    case_no = fields.Text(32, null=True, unique=True)
    case_seq = fields.Number(null=True)
    title = fields.Text(200)
    category = fields.Text(60, default="")
    subcategory = fields.Text(60, default="")
    situation = fields.SealedText(20_000, default="")
    analysis = fields.SealedText(20_000, default="")
    request = fields.SealedText(20_000, default="")
    text_sha256 = fields.Digest()
    version_no = fields.Number(default=1)
    row_version = fields.Number(default=1)
    is_public = fields.Flag(default=True)
    wished_organs = fields.Text(200, default="")
    entered_by = fields.ForeignKey("oa.Official")
    submitted_on = fields.Day(null=True)
    review_level = fields.Number(default=0)
    rejection_code = fields.State(RejectionCode, null=True)
    forwarding = fields.State(Forwarding, null=True)
    reason = fields.SealedText(1000, default="")
    converted_from = fields.Text(32, default="")
    merged_into = fields.ForeignKey("oa.Proposal", null=True)
    merged_from_state = fields.State(ProposalState, null=True)
    key_leader = fields.ForeignKey("oa.Official", null=True)
    is_suspended = fields.Flag(default=False)
    round = fields.Number(default=1)
    dispatched_on = fields.Day(null=True)
    closed_on = fields.Day(null=True)
    created_at = fields.Moment()
    updated_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "proposal"
        unique_together = (("sitting", "kind", "case_seq"),)
        indexes = (fields.Index(fields=("sitting_id", "state")),)


class ProposalVersion(fields.Model):
    """A text as it was submitted, never changed."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    no = fields.Number()
    title = fields.Text(200)
    situation = fields.SealedText(20_000)
    analysis = fields.SealedText(20_000)
    request = fields.SealedText(20_000)
    text_sha256 = fields.Digest()
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "proposal_version"
        unique_together = (("proposal", "no"),)


class ProposalTerm(fields.Model):
    """One of the words that stand for a proposal when others are looked for that are like it, under its number."""

    id = fields.BigNumber(primary_key=True, generated=True)
    term = fields.BigNumber()
    proposal = fields.ForeignKey("oa.Proposal")

    class Meta:
        app = "oa"
        table = "proposal_term"
        indexes = (fields.Index(fields=("term", "proposal_id")),)


class Proposer(fields.Model):
    """提案人: the lead or a co-signer of one proposal. A consent holds for the very text whose digest it names."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    member = fields.ForeignKey("oa.Member")
    position = fields.Number()
    consent = fields.State(Consent)
    consented_sha256 = fields.Digest(null=True)
    signature = fields.ForeignKey("oa.Signature", null=True)
    at = fields.Moment(null=True)
    withdrawal = fields.ForeignKey("oa.Signature", null=True)
    withdrew_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "proposer"
        unique_together = (("proposal", "member"),)


class Review(fields.Model):
    """审查意见: what one level of review says of one version."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    version_no = fields.Number()
    level = fields.Number()
    official = fields.ForeignKey("oa.Official")
    opinion = fields.SealedText(2000)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "proposal_review"
        unique_together = (("proposal", "version_no", "level"),)


class Assignment(fields.Model):
    """交办: one proposal given to one organ in a role. What is given on after a return names the one before."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    organ = fields.ForeignKey("oa.Organ")
    role = fields.State(AssignmentRole)
    state = fields.State(AssignmentState)
    previous = fields.ForeignKey("oa.Assignment", null=True)
    returns = fields.Number(default=0)
    is_final = fields.Flag(default=False)
    dispatched_on = fields.Day()
    received_at = fields.Moment(null=True)
    received_by = fields.ForeignKey("oa.Official", null=True)
    suggestion = fields.SealedText(500, default="")
    return_reason = fields.SealedText(1000, default="")
    suggested_organ = fields.ForeignKey("oa.Organ", null=True)
    decision = fields.SealedText(1000, default="")
    opinion = fields.SealedText(10_000, default="")
    opinion_at = fields.Moment(null=True)
    liaison = fields.Text(60, default="")
    liaison_phone = fields.SealedText(40, default="")
    extension_reason = fields.SealedText(1000, default="")
    extension_months = fields.Number(null=True)
    extended_months = fields.Number(default=0)
    row_version = fields.Number(default=1)

    class Meta:
        app = "oa"
        table = "assignment"
        indexes = (fields.Index(fields=("organ_id", "state")), fields.Index(fields=("proposal_id", "state")))


class Contact(fields.Model):
    """面商: one talk of an answering organ with one proposer."""

    id = fields.Key()
    assignment = fields.ForeignKey("oa.Assignment")
    proposer = fields.ForeignKey("oa.Proposer")
    round = fields.Number()
    on = fields.Day()
    form = fields.State(ContactForm)
    people = fields.SealedText(200)
    summary = fields.SealedText(2000)
    entered_by = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "proposal_contact"


class Point(fields.Model):
    """建议点: one thing that a proposal asks for, and how far it has come."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    assignment = fields.ForeignKey("oa.Assignment")
    position = fields.Number()
    text = fields.SealedText(1000)
    result = fields.State(ResultClass, null=True)
    measure = fields.SealedText(2000, default="")
    owner = fields.Text(60, default="")
    planned_on = fields.Day(null=True)

    class Meta:
        app = "oa"
        table = "proposal_point"


class PointReview(fields.Model):
    """复核: how a point stood when somebody looked at it again; rows are only added."""

    id = fields.Key()
    point = fields.ForeignKey("oa.Point")
    before = fields.State(ResultClass)
    after = fields.State(ResultClass)
    explanation = fields.SealedText(2000)
    entered_by = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "point_review"


class Reply(fields.Model):
    """答复: the sealed document with which an organ answers in one round, its class and its publicity."""

    id = fields.Key()
    assignment = fields.ForeignKey("oa.Assignment")
    document = fields.ForeignKey("oa.OutgoingDocument", unique=True)
    round = fields.Number()
    result = fields.State(ResultClass)
    publicity = fields.State(ReplyPublicity)
    publicity_ground = fields.Text(200, default="")
    state = fields.State(ReplyState)
    check_reason = fields.SealedText(1000, default="")
    checked_by = fields.ForeignKey("oa.Official", null=True)
    at = fields.Moment()
    checked_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "proposal_reply"


class Feedback(fields.Model):
    """评价: what one proposer says of the replies of one round. `code_sha256` is of the single-use code that was handed over."""

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal")
    proposer = fields.ForeignKey("oa.Proposer")
    round = fields.Number()
    state = fields.State(FeedbackState)
    contact = fields.State(Satisfaction, null=True)
    attitude = fields.State(Satisfaction, null=True)
    result = fields.State(Satisfaction, null=True)
    text = fields.SealedText(2000, default="")
    code_sha256 = fields.Digest(null=True, unique=True)
    signature = fields.ForeignKey("oa.Signature", null=True)
    entered_by = fields.ForeignKey("oa.Official", null=True)
    confirmed_by = fields.ForeignKey("oa.Official", null=True)
    at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "proposal_feedback"
        unique_together = (("proposer", "round"),)


class UnitAlias(fields.Model):
    """别名: what sheets call an organ beside its own names. Somebody decided it; nothing is guessed."""

    id = fields.Key()
    name = fields.Text(120, unique=True)
    organ = fields.ForeignKey("oa.Organ")
    entered_by = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "unit_alias"


class ImportBatch(fields.Model):
    """导入: one file that was brought in, all of it. `digest` names the difference that was shown before."""

    id = fields.Key()
    sitting = fields.ForeignKey("oa.Sitting")
    file_name = fields.Text(200)
    file_sha256 = fields.Digest()
    digest = fields.Digest()
    added = fields.Number()
    changed = fields.Number()
    unchanged = fields.Number()
    kept = fields.Number()
    entered_by = fields.ForeignKey("oa.Official")
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "import_batch"
        unique_together = (("sitting", "digest"),)


class ImportedRow(fields.Model):
    """Where a case came from: the row of a sheet, and the digest of what it said when it was brought in last.

    `natural_sha256` is of kind, matter and lead, by which the case of a row without a number is known again.
    """

    id = fields.Key()
    proposal = fields.ForeignKey("oa.Proposal", unique=True)
    batch = fields.ForeignKey("oa.ImportBatch")
    row_no = fields.Number()
    row_sha256 = fields.Digest()
    natural_sha256 = fields.Digest()

    class Meta:
        app = "oa"
        table = "imported_row"
