"""The law of official documents: which verb leads from which state to which, for whom, and what must be true first.

Sources: 《党政机关公文处理工作条例》, articles as cited; nothing here reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Denied, Invalid, Reason
from oa_server.documents.states import (
    UPWARD_KINDS,
    Classification,
    DocKind,
    IncomingState,
    OutgoingState,
)

if TYPE_CHECKING:
    from oa_server.documents.models import IncomingDocument, OutgoingDocument

# What stands in the way, by name.
NOT_DRAFTER = Reason("documents.not_drafter", "只有拟稿人可以进行此操作", "Only the drafter may do this.")
NOT_DRAFTING = Reason(
    "documents.not_drafting",
    "公文已送审，须退回或撤回后才能修改",
    "It is under review; it must come back before it can change.",
)
NOT_YOUR_TASK = Reason("documents.not_your_task", "当前环节不由您办理", "The step that is open is not yours.")
SIGNER_LEAVES = Reason(
    "documents.signer_leaves",
    "还有待其签发的公文，请先由拟稿人撤回或由审核人退回并改定签发人",
    "Documents wait for their signature; have them withdrawn or returned, and another signer named.",
)
SUCCESSOR_NOT_LEADER = Reason(
    "documents.successor_not_leader",
    "还有待其批示的收文，接办人须是本机关的领导",
    "Documents wait for their instruction; the successor must be a leader of the organ.",
)
NOT_SIGNERS_TURN = Reason(
    "documents.not_signers_turn", "尚未送到签发环节，或您不是签发人", "It has not come to the signer."
)
WRONG_STATE = Reason("documents.wrong_state", "公文不在此环节，不能进行此操作", "The document is not at this step.")
SYSTEMS_DRAFT_ONLY = Reason(
    "documents.systems_draft_only",
    "接入系统只能起草、修改、送审和撤回；审核、签发、用印、签收须由本人持证书办理",
    "A department's system drafts and submits only; whatever has legal effect is done by a person with a key.",
)
NOT_CLERK = Reason(
    "documents.not_clerk", "只有本机关的机要文书可以进行此操作", "Only a clerk of the organ may do this."
)
NOT_SIGNED = Reason("documents.not_signed", "公文尚未签发", "The document has not been signed by the leader.")
NOT_NUMBERED = Reason("documents.not_numbered", "公文尚未编号", "The document has no number yet.")
NOT_FROZEN = Reason("documents.not_frozen", "公文尚未定版", "The pages have not been frozen yet.")
NOT_SEALED = Reason(
    "documents.not_sealed", "公文尚未用印，不能发出", "The document has not been sealed; it cannot be sent."
)
NOT_KEEPER = Reason("documents.not_keeper", "只有本机关的印章管理员可以用印", "Only the organ's seal keeper may seal.")
KEEPER_CONFLICT = Reason(
    "documents.keeper_conflict", "拟稿人和签发人不得自行用印", "Neither the drafter nor the signer may seal."
)
NOT_DISPATCHED = Reason("documents.not_dispatched", "公文尚未分发", "The document has not been sent.")
UNDELIVERED = Reason(
    "documents.undelivered",
    "仍有收文机关未签收或未拒收，不能办结",
    "Some recipients have neither signed for nor refused it.",
)
ALREADY_READ = Reason(
    "documents.already_read", "下一环节已开始处理，不能撤回", "The next step has begun; it cannot be withdrawn."
)
MISSING_ELEMENT = Reason("documents.missing_element", "公文要素不完整，请补充后再送审", "An element is missing.")
NO_RECIPIENT = Reason("documents.no_recipient", "请至少选择一个主送机关", "Choose at least one main recipient.")
NO_SIGNER = Reason("documents.no_signer", "请选择签发人", "Choose the signer.")
SIGNER_NOT_LEADER = Reason(
    "documents.signer_not_leader",
    "签发人应为本机关负责人（条例第二十二条）",
    "The signer must be a leader of the organ (article 22).",
)
NO_BODY = Reason("documents.no_body", "正文不能为空", "The body is empty.")
NO_TITLE = Reason("documents.no_title", "标题不能为空", "The title is empty.")
TITLE_KIND = Reason(
    "documents.title_kind",
    "标题应以所选文种结尾（条例第九条第六项）",
    "The title must end with the kind (article 9(6)).",
)
NOT_AN_ISSUER = Reason(
    "documents.not_an_issuer", "本机关未进行发文立户，没有机关代字", "The organ has no issuing word; it does not issue."
)
WORD_TAKEN = Reason(
    "documents.word_taken",
    "机关代字已由另一机关使用，请改用其他代字",
    "Another organ has this issuing word; choose another.",
)
UPWARD_ONE_SUPERIOR = Reason(
    "documents.upward_one_superior",
    "报告、请示只能主送一个上级机关（条例第十五条第一项）",
    "A report or a request goes to exactly one superior (article 15(1)).",
)
UPWARD_NO_SUBORDINATE = Reason(
    "documents.upward_no_subordinate",
    "报告、请示不得抄送下级机关（条例第十五条第一项）",
    "A report or a request is not copied to subordinates (article 15(1)).",
)
NO_SECRECY_YEARS = Reason(
    "documents.no_secrecy_years",
    "涉密公文应标注保密期限，且不得超过该密级的最长期限（条例第九条第二项）",
    "A classified document says for how many years, and no more than its class allows (article 9(2)).",
)
NO_COPY_NUMBER = Reason(
    "documents.no_copy_number",
    "涉密公文应标注六位份号（条例第九条第一项）",
    "A classified document carries a copy number of six digits (article 9(1)).",
)
ABOVE_CEILING = Reason(
    "documents.above_ceiling",
    "密级超出本系统允许的上限，不得录入任何内容",
    "The classification is above what this system may hold.",
)
NOT_CLEARED = Reason(
    "documents.not_cleared",
    "您的涉密等级不足，不能起草此密级的公文；如工作需要，请向安全保密管理员申请",
    "You are not cleared for this class; where your work needs it, ask the security administrator.",
)
SIGNER_NOT_CLEARED = Reason(
    "documents.signer_not_cleared",
    "签发人的涉密等级不足，请另选签发人，或由安全保密管理员授予相应等级",
    "The signer is not cleared for this class; choose another, or have the clearance given.",
)
NOBODY_RECEIVES = Reason(
    "documents.nobody_receives",
    "收文机关没有涉密等级足够的机要文书，请与该机关联系，或调整收文机关",
    "A recipient has no clerk who is cleared for this class; speak with that organ, or take it off the list.",
)
OWN_ORGAN = Reason("documents.own_organ", "收文机关不能是本机关", "An organ does not send to itself.")
TEXT_CHANGED = Reason(
    "documents.text_changed",
    "正文在签发后发生变化，请退回拟稿人，由原签发人复审（条例第二十五条第一项）",
    "The text has changed since the leader signed; return it, so that the signer sees it again (article 25(1)).",
)
ELEMENTS_CHANGED = Reason(
    "documents.elements_changed",
    "公文要素、收文机关或附件与送审时不一致，须退回拟稿人重新送审（条例第二十五条第一项）",
    "Elements, recipients or attachments are not those that were submitted; it goes back to the drafter (article 25(1)).",
)
ATTACHMENTS_CHANGED = Reason(
    "documents.attachments_changed",
    "附件与签发时不一致，请与发文机关核实",
    "The attachments are not those that the leader signed; ask the issuing organ.",
)
PAGES_CHANGED = Reason(
    "documents.pages_changed",
    "版面已更新，请重新阅读后再签署",
    "The pages have changed; read them again before signing.",
)
FILES_UPLOADING = Reason("documents.files_uploading", "附件仍在上传，请稍候", "Attachments are still being uploaded.")
FILES_HELD = Reason(
    "documents.files_held",
    "有附件正在等待病毒检查，检查通过后再送审",
    "Attachments wait to be scanned for malware; submit once they have passed.",
)
FILES_INFECTED = Reason(
    "documents.files_infected",
    "有附件含有恶意代码，已被隔离；删除该附件后再送审",
    "Malware was found in an attachment; remove it, and submit then.",
)
_NOT_ARRIVED = {"quarantined": FILES_INFECTED, "held": FILES_HELD, "uploading": FILES_UPLOADING}
UNKNOWN_VERB = Reason("documents.unknown_verb", "没有这项操作", "There is no such act.")
NOTHING_TO_SIGN = Reason("documents.nothing_to_sign", "此操作不需要签名", "This act needs no signature.")
SIGNATURE_NEEDED = Reason("documents.signature_needed", "此操作需要用证书签名", "This act must be signed with a key.")
REASON_NEEDED = Reason("documents.reason_needed", "请填写理由", "Give a reason.")
REASON_TOO_LONG = Reason("documents.reason_too_long", "理由过长，请精简", "The reason is too long.")
OPINION_NEEDED = Reason("documents.opinion_needed", "请填写意见", "Write an opinion.")
NOT_RECEIVER = Reason(
    "documents.not_receiver", "只有收文机关的机要文书可以签收或拒收", "Only the receiving organ's clerk may."
)
ALREADY_SIGNED_FOR = Reason("documents.already_signed_for", "公文已由他人签收", "Somebody has already signed for it.")
NOT_SIGNED_FOR = Reason("documents.not_signed_for", "公文尚未签收", "It has not been signed for.")
NOT_LEADER = Reason("documents.not_leader", "本件未呈送您批示", "It has not been put before you.")
NOT_UNIT_HEAD = Reason("documents.not_unit_head", "本件不由您的部门承办", "Your unit does not handle it.")
CHOSEN_NOT_LEADER = Reason(
    "documents.chosen_not_leader", "所选人员不是本机关领导，请重新选择", "Who was chosen is no leader of the organ."
)
CHOSEN_FOREIGN_UNIT = Reason(
    "documents.chosen_foreign_unit", "所选部门不属于本机关，请重新选择", "The unit that was chosen is another organ's."
)
NO_CHOICE = Reason("documents.no_choice", "请选择下一环节的人员或部门", "Choose who comes next.")
UNKNOWN_REFUSAL = Reason("documents.unknown_refusal", "请选择拒收原因", "Choose a reason for refusing.")
NOT_IN_UNIT = Reason("documents.not_in_unit", "您没有所在部门，不能起草公文", "You have no unit; you cannot draft.")


REFUSAL_LIMIT = 500
_COPY_NUMBER = re.compile("[0-9]{6}")

# Every organ with the one above it.
Superiors = Mapping[UUID, UUID | None]
VOID_REASON_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How an actor stands to one document: the step of the route that is open to them, and whether the last hand-over
    has been read."""

    open_step: str | None = None
    handed_over_unread: bool = False
    settled: bool = False  # every consignment has been signed for or refused


Guard = Callable[[Actor, "OutgoingDocument", Standing], Reason | None]


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the machine: in `state`, `verb` leads to `next` when `guard` finds nothing against it."""

    state: OutgoingState
    verb: str
    guard: Guard
    next: OutgoingState


def _drafter(actor: Actor, document: OutgoingDocument, _standing: Standing) -> Reason | None:
    return None if document.drafter_id == actor.official_id else NOT_DRAFTER


def _withdrawer(actor: Actor, document: OutgoingDocument, standing: Standing) -> Reason | None:
    return _drafter(actor, document, standing) or (None if standing.handed_over_unread else ALREADY_READ)


def _reviewer(_actor: Actor, _document: OutgoingDocument, standing: Standing) -> Reason | None:
    return None if standing.open_step in {"unit_review", "office_review"} else NOT_YOUR_TASK


def _returner(_actor: Actor, _document: OutgoingDocument, standing: Standing) -> Reason | None:
    return None if standing.open_step in {"unit_review", "office_review", "signing"} else NOT_YOUR_TASK


def _checker(actor: Actor, document: OutgoingDocument, standing: Standing) -> Reason | None:
    """Article 25(1): who numbers a document checks it first (复核), and sends back what has to change."""
    return _clerk(actor, document, standing) or (None if standing.open_step == "numbering" else NOT_YOUR_TASK)


def _signer(actor: Actor, document: OutgoingDocument, standing: Standing) -> Reason | None:
    at_signing = standing.open_step == "signing" and document.signer_id == actor.official_id
    return None if at_signing else NOT_SIGNERS_TURN


def _clerk(actor: Actor, document: OutgoingDocument, _standing: Standing) -> Reason | None:
    return None if actor.has(Role.CLERK) and actor.organ_id == document.organ_id else NOT_CLERK


def _keeper(actor: Actor, document: OutgoingDocument, _standing: Standing) -> Reason | None:
    if not actor.has(Role.SEAL_KEEPER) or actor.organ_id != document.organ_id:
        return NOT_KEEPER
    return KEEPER_CONFLICT if actor.official_id in {document.drafter_id, document.signer_id} else None


def _closer(actor: Actor, document: OutgoingDocument, standing: Standing) -> Reason | None:
    return _clerk(actor, document, standing) or (None if standing.settled else UNDELIVERED)


MOVES = (
    Move(OutgoingState.DRAFTING, "edit", _drafter, OutgoingState.DRAFTING),
    Move(OutgoingState.DRAFTING, "submit", _drafter, OutgoingState.UNDER_REVIEW),
    Move(OutgoingState.DRAFTING, "abandon", _drafter, OutgoingState.ABANDONED),
    Move(OutgoingState.UNDER_REVIEW, "approve", _reviewer, OutgoingState.UNDER_REVIEW),
    Move(OutgoingState.UNDER_REVIEW, "sign", _signer, OutgoingState.SIGNED),
    Move(OutgoingState.UNDER_REVIEW, "return", _returner, OutgoingState.DRAFTING),
    Move(OutgoingState.SIGNED, "return", _checker, OutgoingState.DRAFTING),
    Move(OutgoingState.NUMBERED, "return", _checker, OutgoingState.DRAFTING),
    Move(OutgoingState.UNDER_REVIEW, "withdraw", _withdrawer, OutgoingState.DRAFTING),
    Move(OutgoingState.SIGNED, "number", _clerk, OutgoingState.NUMBERED),
    Move(OutgoingState.NUMBERED, "freeze", _clerk, OutgoingState.FROZEN),
    Move(OutgoingState.FROZEN, "seal", _keeper, OutgoingState.SEALED),
    Move(OutgoingState.SEALED, "dispatch", _clerk, OutgoingState.DISPATCHED),
    Move(OutgoingState.DISPATCHED, "close", _closer, OutgoingState.CLOSED),
)

# What to say when a verb is asked for too early or too late: the thing that is missing, not merely "wrong state".
_MISSING = {
    "edit": NOT_DRAFTING,
    "submit": NOT_DRAFTING,
    "abandon": NOT_DRAFTING,
    "number": NOT_SIGNED,
    "freeze": NOT_NUMBERED,
    "seal": NOT_FROZEN,
    "dispatch": NOT_SEALED,
    "close": NOT_DISPATCHED,
}

_EDITING = frozenset({"edit", "submit", "abandon"})

# What a department's system may do; whatever has legal effect is a person's, with a key.
OF_SYSTEMS = frozenset({"edit", "submit", "withdraw", "abandon"})
VERBS = tuple(dict.fromkeys(move.verb for move in MOVES))


def _judge(actor: Actor, document: OutgoingDocument, standing: Standing, verb: str) -> Reason | None:
    """The reason against `verb`, or None: what is missing when its time has not come, else what the person lacks."""
    if actor.client_id is not None and verb not in OF_SYSTEMS:
        return SYSTEMS_DRAFT_ONLY
    moves = [move for move in MOVES if move.verb == verb]
    for move in moves:
        if move.state == document.state:
            return move.guard(actor, document, standing)
    order = list(OutgoingState)
    is_early = order.index(OutgoingState(document.state)) < order.index(moves[0].state)
    return _MISSING[verb] if verb in _EDITING or (is_early and verb in _MISSING) else WRONG_STATE


def abilities(actor: Actor, document: OutgoingDocument, standing: Standing) -> list[Ability]:
    """Every verb, allowed or denied with its reason."""
    return [Ability(verb, _judge(actor, document, standing, verb)) for verb in VERBS]


def check(actor: Actor, document: OutgoingDocument, standing: Standing, verb: str) -> Move:
    """The move that `verb` makes. Raises Denied with the same reason that greys its button, Invalid for no verb at all."""
    if verb not in VERBS:
        raise Invalid(UNKNOWN_VERB, verb=verb)
    Ability(verb, _judge(actor, document, standing, verb)).check()
    return next(move for move in MOVES if move.verb == verb and move.state == document.state)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of the regulation that a draft breaks."""

    reason: Reason
    article: str


def examine(
    document: OutgoingDocument,
    *,
    main: Sequence[UUID],
    copies: Sequence[UUID],
    superior_of: Superiors,
    has_text: bool,
    signer_leads: bool,
) -> list[Finding]:
    """Everything that keeps a draft from being submitted (articles 9, 13–17)."""
    kind = DocKind(document.kind)
    found = [
        Finding(NO_TITLE, "9(6)") if not document.title.strip() else None,
        Finding(TITLE_KIND, "9(6)") if document.title.strip() and not title_fits(document.title, kind) else None,
        Finding(NO_BODY, "9(8)") if not has_text else None,
        Finding(NO_RECIPIENT, "9(7)") if not main else None,
        Finding(NO_SIGNER, "22") if document.signer_id is None else None,
        Finding(SIGNER_NOT_LEADER, "22") if document.signer_id is not None and not signer_leads else None,
        Finding(OWN_ORGAN, "14") if document.organ_id in {*main, *copies} else None,
        *_secrecy(document),
        *(_upward(document.organ_id, main, copies, superior_of) if kind in UPWARD_KINDS and main else ()),
    ]
    return [finding for finding in found if finding]


def _secrecy(document: OutgoingDocument) -> Iterator[Finding]:
    """What a state secret must carry besides its class."""
    longest = Classification(document.classification).longest_years
    if longest is None:
        return
    if not document.classify_years or document.classify_years > longest:
        yield Finding(NO_SECRECY_YEARS, "9(2)")
    if not _COPY_NUMBER.fullmatch(document.copy_no):
        yield Finding(NO_COPY_NUMBER, "9(1)")


def _upward(organ: UUID, main: Sequence[UUID], copies: Sequence[UUID], superior_of: Superiors) -> Iterator[Finding]:
    """To whom a report or a request may go, and who may not have a copy of it."""
    if len(main) != 1 or main[0] not in _above(organ, superior_of):
        yield Finding(UPWARD_ONE_SUPERIOR, "15(1)")
    if any(organ in _above(copy, superior_of) for copy in copies):
        yield Finding(UPWARD_NO_SUBORDINATE, "15(1)")


def _above(organ: UUID, superior_of: Superiors) -> set[UUID]:
    """Every organ above one, up to the highest."""
    found: set[UUID] = set()
    at = superior_of.get(organ)
    while at is not None and at not in found:
        found.add(at)
        at = superior_of.get(at)
    return found


def check_complete(findings: Sequence[Finding]) -> None:
    """Refuse a draft with findings. Raises Invalid, naming the first one and listing all."""
    if findings:
        raise Invalid(findings[0].reason, all=[{"code": f.reason.code, "article": f.article} for f in findings])


def title_fits(title: str, kind: DocKind) -> bool:
    """Whether a title ends with its kind, as article 9(6) has it (发文机关名称 + 事由 + 文种); an order has no such title."""
    return kind is DocKind.ORDER or title.strip().endswith(kind.title_zh)


def check_ceiling(classification: Classification, ceiling: Classification) -> None:
    """Refuse content above the deployment's ceiling (article 26): without override, before anything is stored. Raises Invalid."""
    if classification.rank > ceiling.rank:
        raise Invalid(ABOVE_CEILING, ceiling=ceiling.value)


def check_cleared(actor: Actor, classification: Classification) -> None:
    """Nobody drafts what they might not read afterwards. Raises Denied."""
    if not actor.is_cleared(classification.clearance):
        raise Denied(NOT_CLEARED)


def check_text(signed_sha256: str | None, rendered_sha256: str) -> None:
    """Article 25(1): after the leader has signed, the text must be the very text that was signed. Raises Conflict."""
    if signed_sha256 != rendered_sha256:
        raise Conflict(TEXT_CHANGED, signed=signed_sha256, rendered=rendered_sha256)


def check_elements(signed: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Elements and attachments must be the very ones that were submitted and signed. Raises Conflict, naming the others."""
    if signed != found:
        changed = sorted(name for name in signed.keys() | found.keys() if signed.get(name) != found.get(name))
        raise Conflict(ELEMENTS_CHANGED, changed=changed)


def check_recipients(signed: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> None:
    """A document goes to those whom the clerk signed for, and to nobody else. Raises Conflict."""
    if signed != found:
        raise Conflict(ELEMENTS_CHANGED, changed=["recipients"])


def check_read(read_sha256: str | None, current_sha256: str | None) -> None:
    """Who gives an opinion gives it on the pages they have read, not on those that came meanwhile in another window.

    Raises Conflict.
    """
    if read_sha256 != current_sha256:
        raise Conflict(PAGES_CHANGED)


def check_arrived(states: Collection[str]) -> None:
    """Every attachment has arrived and passed the malware scanner, where there is one. Raises Conflict."""
    for state, reason in _NOT_ARRIVED.items():
        if state in states:
            raise Conflict(reason)


def check_attachments(signed: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> None:
    """Who sends or signs for a document does so with the attachments that the leader signed. Raises Conflict."""
    if signed != found:
        raise Conflict(ATTACHMENTS_CHANGED, signed=signed, found=found)


def check_refusal(reason: str) -> None:
    """A refusal says why, and no more than the sender's board can show. Raises Invalid."""
    if not reason.strip():
        raise Invalid(REASON_NEEDED)
    if len(reason) > REFUSAL_LIMIT:
        raise Invalid(REASON_TOO_LONG, limit=REFUSAL_LIMIT)


def format_number(word: str, year: int, seq: int) -> str:
    """发文字号: `江政办发〔2026〕1号`, brackets U+3014 and U+3015, no leading zero (GB/T 9704-2012, 7.2.5)."""
    return f"{word}〔{year}〕{seq}号"


def format_receive_number(day: date, seq: int) -> str:
    """收文号: year and a four-digit running number."""
    return f"{day.year}-{seq:04d}"


IncomingGuard = Callable[[Actor, "IncomingDocument", Standing], Reason | None]


@dataclass(frozen=True, slots=True)
class IncomingMove:
    """One line of the receiving machine."""

    state: IncomingState
    verb: str
    guard: IncomingGuard
    next: IncomingState


def _receiver(actor: Actor, document: IncomingDocument, _standing: Standing) -> Reason | None:
    return None if actor.has(Role.CLERK) and actor.organ_id == document.organ_id else NOT_RECEIVER


def _instructor(actor: Actor, document: IncomingDocument, _standing: Standing) -> Reason | None:
    return None if document.leader_id == actor.official_id else NOT_LEADER


def _handler(_actor: Actor, _document: IncomingDocument, standing: Standing) -> Reason | None:
    return None if standing.open_step == "handle" else NOT_UNIT_HEAD


INCOMING_MOVES = (
    IncomingMove(IncomingState.ARRIVED, "sign_for", _receiver, IncomingState.SIGNED_FOR),
    IncomingMove(IncomingState.ARRIVED, "refuse", _receiver, IncomingState.REFUSED),
    IncomingMove(IncomingState.SIGNED_FOR, "register", _receiver, IncomingState.REGISTERED),
    IncomingMove(IncomingState.REGISTERED, "propose", _receiver, IncomingState.PROPOSED),
    IncomingMove(IncomingState.PROPOSED, "instruct", _instructor, IncomingState.INSTRUCTED),
    IncomingMove(IncomingState.INSTRUCTED, "assign", _receiver, IncomingState.HANDLING),
    IncomingMove(IncomingState.HANDLING, "finish", _handler, IncomingState.HANDLED),
    IncomingMove(IncomingState.HANDLED, "close", _receiver, IncomingState.CLOSED),
    # A document that is only to be read is closed without a leader's instruction or a unit's work.
    IncomingMove(IncomingState.REGISTERED, "close", _receiver, IncomingState.CLOSED),
    IncomingMove(IncomingState.INSTRUCTED, "close", _receiver, IncomingState.CLOSED),
)

INCOMING_VERBS = tuple(dict.fromkeys(move.verb for move in INCOMING_MOVES))


def _judge_incoming(actor: Actor, document: IncomingDocument, standing: Standing, verb: str) -> Reason | None:
    if actor.client_id is not None:
        return SYSTEMS_DRAFT_ONLY
    for move in INCOMING_MOVES:
        if move.verb == verb and move.state == document.state:
            return move.guard(actor, document, standing)
    if verb in {"sign_for", "refuse"}:
        return ALREADY_SIGNED_FOR
    return NOT_SIGNED_FOR if document.state == IncomingState.ARRIVED else WRONG_STATE


def incoming_abilities(actor: Actor, document: IncomingDocument, standing: Standing) -> list[Ability]:
    """Every verb of the receiving side, allowed or denied with its reason."""
    return [Ability(verb, _judge_incoming(actor, document, standing, verb)) for verb in INCOMING_VERBS]


def check_incoming(actor: Actor, document: IncomingDocument, standing: Standing, verb: str) -> IncomingMove:
    """The move that `verb` makes on the receiving side. Raises Denied with its reason, Invalid for no verb at all."""
    if verb not in INCOMING_VERBS:
        raise Invalid(UNKNOWN_VERB, verb=verb)
    Ability(verb, _judge_incoming(actor, document, standing, verb)).check()
    return next(move for move in INCOMING_MOVES if move.verb == verb and move.state == document.state)
