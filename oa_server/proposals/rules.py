"""The law of proposals: which verb leads a case or an assignment from where to where, for whom, and what must be true first.

Sources: 代表法; 政协全国委员会提案工作条例; local rules of handling as `limits` cites them. Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Conflict, Invalid, Reason
from oa_server.proposals.limits import Allowed, LimitUnit
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    AssignmentState,
    Consent,
    FeedbackState,
    ProposalForm,
    ProposalKind,
    ProposalState,
    ResultClass,
    Satisfaction,
)

if TYPE_CHECKING:
    from oa_server.proposals.models import Assignment, Feedback, Point, Proposal, Proposer, Sitting

NOT_SYSTEM_ADMIN = Reason(
    "proposals.not_system_admin",
    "届次由系统管理员设立和修改",
    "A sitting is opened and changed by the system administrator.",
)
SITTING_KNOWN = Reason("proposals.sitting_known", "该届次已经设立", "This sitting exists already.")
BAD_DAYS = Reason("proposals.bad_days", "闭会日期不能早于开会日期", "A sitting cannot close before it opens.")
ORGAN_AT_WORK = Reason(
    "proposals.organ_at_work",
    "已有提交的件，原机关撤销或合并后才能更换",
    "Proposals were handed in; an organ is replaced once it is there no more.",
)
BAD_LIMIT = Reason(
    "proposals.bad_limit", "时限的单位或数量不正确", "The unit or the quantity of the limit is not right."
)
NOT_SECRETARIAT = Reason(
    "proposals.not_secretariat",
    "只有本届次秘书处的机要文书可以进行此操作",
    "Only a clerk of the sitting's secretariat may do this.",
)
NOT_REVIEWER = Reason(
    "proposals.not_reviewer",
    "只有本届次秘书处的审查人员可以进行此操作",
    "Only a reviewer of the secretariat may do this.",
)
NOT_COMMITTEE = Reason(
    "proposals.not_committee",
    "立案、不予立案、转为建议由秘书处负责人决定",
    "Filing, rejecting and converting are decided by a leader of the secretariat.",
)
NOT_DISPATCHER = Reason(
    "proposals.not_dispatcher",
    "只有交办机关的机要文书可以进行此操作",
    "Only a clerk of the dispatching organ may do this.",
)
NOT_DISPATCHING_LEADER = Reason(
    "proposals.not_dispatching_leader", "此事由交办机关负责人决定", "A leader of the dispatching organ decides this."
)
NOT_REPORTER = Reason(
    "proposals.not_reporter",
    "办理情况报告由本届次秘书处、交办机关和督查机关的机要文书、核稿人员或领导编制",
    "Clerks, reviewers and leaders of the secretariat, of the dispatching and of the oversight organ write the report.",
)
NOT_OVERSIGHT = Reason(
    "proposals.not_oversight",
    "只有督查机关的核稿人员可以审核答复",
    "Only a reviewer of the oversight organ checks replies.",
)
NOT_AUTHOR = Reason(
    "proposals.not_author",
    "只有领衔人或代录人可以进行此操作",
    "Only the lead proposer, or who entered it for them, may.",
)
NOT_PROPOSER = Reason("proposals.not_proposer", "您不是本件的提案人", "You are not one of its proposers.")
NOT_ASKED = Reason("proposals.not_asked", "您没有待确认的附议", "No consent is asked of you.")
NOT_A_MEMBER = Reason(
    "proposals.not_a_member",
    "您不是本届次的代表、委员，也不是秘书处的机要文书，不能提出",
    "You are neither a member of this sitting nor a clerk of its secretariat.",
)
MEMBER_KNOWN = Reason("proposals.member_known", "该编号已经登记在册", "This number is on the list already.")
MEMBER_NAMED = Reason(
    "proposals.member_named",
    "该代表、委员已在建议提案中列名，不能移出名册",
    "This member is named in a proposal and stays on the list.",
)
UNKNOWN_MEMBER = Reason(
    "proposals.unknown_member", "有提案人不在本届次名册中", "A proposer is not on the list of this sitting."
)
OFFICIAL_IS_MEMBER = Reason(
    "proposals.official_is_member", "该账号已对应本届次的另一位代表、委员", "This account is another member's already."
)
WRONG_STATE = Reason("proposals.wrong_state", "本件不在此环节，不能进行此操作", "It is not at this stage.")
SUSPENDED = Reason("proposals.suspended", "本件已中止办理，恢复后再进行", "It is suspended; resume it first.")
NOT_SUSPENDED = Reason("proposals.not_suspended", "本件没有中止", "It is not suspended.")
KIND_OF_BODY = Reason(
    "proposals.kind_of_body",
    "人大会议提出议案、建议，政协会议提出提案",
    "Bills and suggestions go to a congress, proposals to the consultative conference.",
)
NO_TITLE = Reason("proposals.no_title", "请填写案由", "Give it a title.")
NO_SITUATION = Reason("proposals.no_situation", "请写明情况", "Describe the situation.")
NO_ANALYSIS = Reason("proposals.no_analysis", "请写明分析", "Give your analysis.")
NO_REQUEST = Reason("proposals.no_request", "请提出具体建议", "Say what you ask for.")
NO_LEAD = Reason("proposals.no_lead", "请选择领衔人", "Choose the lead proposer.")
TWICE = Reason("proposals.twice", "同一人不能重复列名", "Nobody is named twice.")
TOO_FEW_COSIGNERS = Reason(
    "proposals.too_few_cosigners", "议案联名人数不足", "A bill needs more members to sign it together."
)
FORM_AND_NUMBER = Reason(
    "proposals.form_and_number",
    "个人提出的只列一人，联名提出的至少列两人",
    "One person stands behind an individual one, two or more behind a joint one.",
)
NOT_CONSENTED = Reason(
    "proposals.not_consented",
    "仍有附议人未对现在的文本签名确认，请等待或将其移出名单",
    "A co-signer has not consented to the text as it stands now.",
)
TEXT_CHANGED = Reason(
    "proposals.text_changed", "文本已经修改，请重新阅读后再签名", "The text has changed; read it again before signing."
)
LEAD_SIGNS = Reason(
    "proposals.lead_signs",
    "领衔人有证书的，由本人签名提交",
    "A lead proposer who has a certificate submits it themselves.",
)
OWN_SIGNATURE = Reason(
    "proposals.own_signature", "有账号的代表、委员由本人签名，不能代录", "Members with an account sign for themselves."
)
REVIEWED_BY_SAME = Reason(
    "proposals.reviewed_by_same",
    "各级审查应由不同的人进行，登记、代录人也不得审查",
    "Each level is reviewed by somebody else, and not by who entered it.",
)
ALL_REVIEWED = Reason("proposals.all_reviewed", "各级审查已经完成", "All levels have reviewed it.")
NOT_REVIEWED = Reason("proposals.not_reviewed", "各级审查尚未完成", "Not every level has reviewed it.")
CHECKLIST = Reason(
    "proposals.checklist",
    "请逐项确认：一事一案、情况分析建议齐备、属于本届次受理范围、不涉及国家秘密",
    "Confirm every point of the list before filing.",
)
REASON_NEEDED = Reason("proposals.reason_needed", "请填写理由", "Give a reason.")
MERGE_ITSELF = Reason(
    "proposals.merge_itself",
    "只能并入同一届次、同一类别、已登记且未并案的另一件",
    "It merges into another registered one of the same sitting and kind.",
)
HAS_MERGED = Reason(
    "proposals.has_merged", "已有他件并入本件，请先撤销并案", "Others were merged into it; undo that first."
)
MERGE_ANSWERED = Reason(
    "proposals.merge_answered", "所并入的一件已经答复，不能再撤销并案", "What it was merged into has been answered."
)
ONLY_BILLS = Reason("proposals.only_bills", "只有议案可以转为建议", "Only a bill becomes a suggestion.")
NOBODY_ANSWERS = Reason(
    "proposals.nobody_answers",
    "请确定一个主办单位，或者至少两个分别办理单位",
    "Name one lead organ, or two or more that answer separately.",
)
ROLES_OVERLAP = Reason(
    "proposals.roles_overlap", "同一单位不能担任两种角色", "An organ cannot be given the same case twice."
)
LEAD_AND_SEPARATE = Reason(
    "proposals.lead_and_separate", "有主办单位的，不再分别办理", "A case with a lead organ is not handled separately."
)
RETIRED_ORGAN = Reason(
    "proposals.retired_organ", "该单位已经撤销或合并，请另选承接单位", "This organ is retired; choose its successor."
)
ORGAN_STANDS = Reason(
    "proposals.organ_stands",
    "该单位没有撤销，不属其职责的请按退办办理",
    "This organ is not retired; what is not its business is returned.",
)
NOT_HANDLER = Reason(
    "proposals.not_handler", "只有承办单位的机要文书可以进行此操作", "Only a clerk of the handling organ may do this."
)
NOT_HANDLING_LEADER = Reason(
    "proposals.not_handling_leader", "协办意见由单位负责人签名", "A leader of the organ signs the opinion."
)
RETURN_LATE = Reason(
    "proposals.return_late", "已超过退办期限，应予办理", "The time for returning it has passed; it is to be handled."
)
RETURN_FINAL = Reason(
    "proposals.return_final", "已经裁定或审核不予退办，应予办理", "It has been decided; it cannot be returned again."
)
SUGGEST_NEEDED = Reason(
    "proposals.suggest_needed", "申请退办须建议承办单位", "A return names the organ that should handle it."
)
SUGGEST_ITSELF = Reason("proposals.suggest_itself", "建议的承办单位不能是本单位", "Another organ must be named.")
ALREADY_HAS = Reason("proposals.already_has", "该单位已在本件的承办单位中", "This organ has the case already.")
NO_RETURN_COUNTS = Reason(
    "proposals.no_return_counts", "此角色不退办、不答复", "In this role nothing is returned or answered."
)
NOT_ANSWERING = Reason(
    "proposals.not_answering", "只有主办和分别办理的单位答复", "Only the lead and those that answer separately do this."
)
NOT_COHANDLING = Reason("proposals.not_cohandling", "只有协办单位提出协办意见", "Only co-handlers give an opinion.")
NO_EXTENSION_ASKED = Reason("proposals.no_extension_asked", "没有待审批的延期申请", "No extension has been asked for.")
EXTENSION_TOO_LONG = Reason(
    "proposals.extension_too_long", "延期后超过了最长办理时限", "That would go beyond the longest time allowed."
)
PROPOSERS_UNTOLD = Reason(
    "proposals.proposers_untold", "请填写向代表、委员说明的情况", "Say how the proposers were told of it."
)
NO_CONTACT = Reason(
    "proposals.no_contact",
    "答复前应与每一位提案人当面或书面沟通，并如实记录",
    "Every proposer is spoken with before the reply, and it is recorded.",
)
NO_POINTS = Reason("proposals.no_points", "请逐条列出建议点", "List what is asked for, point by point.")
POINTS_OPEN = Reason(
    "proposals.points_open",
    "每个建议点都要写明办理结果类别、措施、责任人，B类还要写明计划完成时间",
    "Every point needs a class, a measure and an owner, and a day where it is planned.",
)
COHANDLERS_OPEN = Reason(
    "proposals.cohandlers_open",
    "协办单位尚未提出意见，且未逾期",
    "A co-handler's opinion is not in, and its time has not passed.",
)
NOT_A_REPLY = Reason(
    "proposals.not_a_reply",
    "答复须是本单位已用印、主送秘书处机关的公文",
    "A reply is a sealed document of this organ, sent to the secretariat's organ.",
)
REPLY_USED = Reason("proposals.reply_used", "该公文已用于另一次答复", "That document has answered before.")
CLASS_OF_POINTS = Reason(
    "proposals.class_of_points",
    "答复类别不得好于各建议点中多数所属的类别",
    "A reply's class is not better than that of most of its points.",
)
GROUND_NEEDED = Reason("proposals.ground_needed", "不全文公开的，请写明依据", "Say why it is not published in full.")
NOT_JUDGED_YET = Reason("proposals.not_judged_yet", "没有待您评价的答复", "No reply waits for your judgement.")
UNIT_CANNOT_JUDGE = Reason(
    "proposals.unit_cannot_judge",
    "承办单位不得代为评价；书面评价由秘书处两人录入",
    "A handling organ never judges its own reply.",
)
OTHER_CONFIRMS = Reason(
    "proposals.other_confirms", "书面评价须由另一人复核", "Somebody else confirms what was entered from paper."
)
UNSATISFIED_WHY = Reason(
    "proposals.unsatisfied_why", "不满意的，请写明意见，以便重新办理", "Say why you are not satisfied."
)
BAD_CODE = Reason(
    "proposals.bad_code",
    "评价码不正确或已经使用，请与秘书处联系",
    "This code is wrong or was used; ask the secretariat.",
)
POINT_CLASS = Reason(
    "proposals.point_class", "只有B、C类建议点需要跟踪，结果须有说明", "Only what is in class B or C is followed up."
)
DAY_NEEDED = Reason(
    "proposals.day_needed",
    "列入计划的（B类）须填写计划完成的日期",
    "What is planned (class B) needs the day by which it is to be done.",
)
NO_SUCH_FIGURE = Reason("proposals.no_such_figure", "没有这项统计", "There is no such figure.")
UNKNOWN_VERB = Reason("proposals.unknown_verb", "没有这项操作", "There is no such act.")
NOTHING_TO_SIGN = Reason("proposals.nothing_to_sign", "此操作不需要签名", "This act needs no signature.")
NO_CHOICE = Reason("proposals.no_choice", "所选内容不正确，请重新选择", "What was chosen is not right; choose again.")
SYSTEMS_KEEP_OUT = Reason(
    "proposals.systems_keep_out", "接入系统不能进行此操作", "A department's system may not do this."
)
CHOSEN_NOT_LEADER = Reason(
    "proposals.chosen_not_leader",
    "领衔督办的应是交办机关的领导",
    "Who leads a key proposal is a leader of the dispatching organ.",
)

CHECKLIST_ITEMS = ("one_matter", "three_parts", "within_scope", "not_secret")
KINDS = {
    Assembly.CONGRESS: (ProposalKind.BILL, ProposalKind.SUGGESTION),
    Assembly.CONSULTATIVE: (ProposalKind.PROPOSAL,),
}
BEFORE_FILING = frozenset(
    {ProposalState.SUBMITTED, ProposalState.REGISTERED, ProposalState.UNDER_REVIEW, ProposalState.FILED}
)
WRITING = frozenset({ProposalState.DRAFT, ProposalState.COSIGNING, ProposalState.RETURNED})
REGISTERED = frozenset({ProposalState.REGISTERED, ProposalState.UNDER_REVIEW, ProposalState.FILED})
IN_HAND = frozenset({ProposalState.DISPATCHED, ProposalState.HANDLING, ProposalState.REHANDLING})

S = TypeVar("S")  # a state
T = TypeVar("T")  # how the actor stands


@dataclass(frozen=True, slots=True)
class Move(Generic[S, T]):
    """One line of a machine: in one of `states`, `verb` leads to `next` (None: it stays) when `guard` finds nothing against it."""

    states: Collection[S]
    verb: str
    guard: Callable[[Actor, T], Reason | None]
    next: S | None = None


def _judge(moves: Sequence[Move[S, T]], actor: Actor, state: S, standing: T, verb: str) -> Reason | None:
    if actor.client_id is not None:
        return SYSTEMS_KEEP_OUT
    for move in moves:
        if move.verb == verb and state in move.states:
            return move.guard(actor, standing)
    return WRONG_STATE


def _verbs(moves: Sequence[Move[S, T]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(move.verb for move in moves))


def _check(moves: Sequence[Move[S, T]], actor: Actor, state: S, standing: T, verb: str) -> Move[S, T]:
    if verb not in _verbs(moves):
        raise Invalid(UNKNOWN_VERB, verb=verb)
    Ability(verb, _judge(moves, actor, state, standing, verb)).check()
    return next(move for move in moves if move.verb == verb and state in move.states)


# --- a case -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How an actor stands to one proposal, and what of it the guards ask for."""

    proposal: Proposal
    sitting: Sitting
    proposers: Sequence[Proposer] = ()
    own: Proposer | None = None
    lead_official: UUID | None = None
    reviewers: Collection[UUID] = ()
    merged_here: bool = False
    target_answered: bool = False

    @property
    def is_author(self) -> bool:
        """Whether the actor leads it."""
        return self.own is not None and self.own.position == 0


Guard = Callable[[Actor, Standing], Reason | None]


def in_secretariat(actor: Actor, sitting: Sitting, role: Role) -> bool:
    """Whether the actor has a role in the sitting's secretariat."""
    return actor.has(role) and actor.organ_id == sitting.secretariat_id


def in_dispatching(actor: Actor, sitting: Sitting, role: Role) -> bool:
    """Whether the actor has a role in the sitting's dispatching organ."""
    return actor.has(role) and actor.organ_id == sitting.dispatching_id


def in_oversight(actor: Actor, sitting: Sitting, role: Role) -> bool:
    """Whether the actor has a role in the sitting's oversight organ."""
    return actor.has(role) and actor.organ_id == sitting.oversight_id


def report_ability(actor: Actor, sitting: Sitting) -> Ability:
    """Whether the actor may report on a sitting: who is of one of the organs that see to it as a whole."""
    sees_to = actor.organ_id in {sitting.secretariat_id, sitting.dispatching_id, sitting.oversight_id}
    is_office = any(actor.has(role) for role in (Role.CLERK, Role.OFFICE_REVIEWER, Role.LEADER))
    return Ability("report", None if sees_to and is_office else NOT_REPORTER)


def _author(actor: Actor, at: Standing) -> Reason | None:
    entered = at.proposal.entered_by_id == actor.official_id
    return None if at.is_author or (entered and at.lead_official in {None, actor.official_id}) else NOT_AUTHOR


def _editor(actor: Actor, at: Standing) -> Reason | None:
    """A clerk may help with the text of a member who has a certificate, too: submitting it is the member's."""
    return None if at.proposal.entered_by_id == actor.official_id else _author(actor, at)


def _submitter(actor: Actor, at: Standing) -> Reason | None:
    if at.lead_official is not None and at.lead_official != actor.official_id:
        return LEAD_SIGNS if at.proposal.entered_by_id == actor.official_id else NOT_AUTHOR
    return _author(actor, at)


def _cosigner(_actor: Actor, at: Standing) -> Reason | None:
    if at.own is None or at.own.position == 0:
        return NOT_PROPOSER
    is_open = at.own.consent == Consent.ASKED or at.own.consented_sha256 != at.proposal.text_sha256
    return None if is_open else NOT_ASKED


def _paper(actor: Actor, at: Standing) -> Reason | None:
    return None if in_secretariat(actor, at.sitting, Role.CLERK) else NOT_SECRETARIAT


def _withdrawer(actor: Actor, at: Standing) -> Reason | None:
    is_own = at.own is not None and at.own.withdrew_at is None
    if not is_own and not in_secretariat(actor, at.sitting, Role.CLERK):
        return NOT_PROPOSER
    return HAS_MERGED if at.merged_here else None


def _reviewer(actor: Actor, at: Standing) -> Reason | None:
    if not in_secretariat(actor, at.sitting, Role.OFFICE_REVIEWER):
        return NOT_REVIEWER
    if at.proposal.review_level >= at.sitting.review_levels:
        return ALL_REVIEWED
    is_same = actor.official_id in at.reviewers or actor.official_id == at.proposal.entered_by_id
    return REVIEWED_BY_SAME if is_same else None


def _committee(actor: Actor, at: Standing) -> Reason | None:
    if not in_secretariat(actor, at.sitting, Role.LEADER):
        return NOT_COMMITTEE
    return None if at.proposal.review_level >= at.sitting.review_levels else NOT_REVIEWED


def _converter(actor: Actor, at: Standing) -> Reason | None:
    return _committee(actor, at) or (None if at.proposal.kind == ProposalKind.BILL else ONLY_BILLS)


def _of_secretariat(actor: Actor, at: Standing) -> Reason | None:
    roles = (Role.OFFICE_REVIEWER, Role.LEADER)
    return None if any(in_secretariat(actor, at.sitting, role) for role in roles) else NOT_REVIEWER


def _merger(actor: Actor, at: Standing) -> Reason | None:
    return _of_secretariat(actor, at) or (HAS_MERGED if at.merged_here else None)


def _unmerger(actor: Actor, at: Standing) -> Reason | None:
    return _of_secretariat(actor, at) or (MERGE_ANSWERED if at.target_answered else None)


def _dispatcher(actor: Actor, at: Standing) -> Reason | None:
    return None if in_dispatching(actor, at.sitting, Role.CLERK) else NOT_DISPATCHER


def _dispatching_leader(actor: Actor, at: Standing) -> Reason | None:
    return None if in_dispatching(actor, at.sitting, Role.LEADER) else NOT_DISPATCHING_LEADER


def _overseer(actor: Actor, at: Standing) -> Reason | None:
    return None if in_oversight(actor, at.sitting, Role.OFFICE_REVIEWER) else NOT_OVERSIGHT


def _suspender(actor: Actor, at: Standing) -> Reason | None:
    return _overseer(actor, at) or (SUSPENDED if at.proposal.is_suspended else None)


def _resumer(actor: Actor, at: Standing) -> Reason | None:
    return _overseer(actor, at) or (None if at.proposal.is_suspended else NOT_SUSPENDED)


CaseMove = Move[ProposalState, Standing]

CASE_MOVES: tuple[CaseMove, ...] = (
    Move(WRITING, "edit", _editor),
    Move({ProposalState.DRAFT, ProposalState.RETURNED}, "invite", _editor, ProposalState.COSIGNING),
    Move({ProposalState.COSIGNING}, "consent", _cosigner),
    Move({ProposalState.COSIGNING}, "decline", _cosigner),
    Move(WRITING, "record_paper", _paper),
    Move(WRITING, "submit", _submitter, ProposalState.SUBMITTED),
    Move(WRITING, "discard", _author, ProposalState.WITHDRAWN),
    Move(BEFORE_FILING, "withdraw", _withdrawer),
    Move({ProposalState.SUBMITTED}, "register", _paper, ProposalState.REGISTERED),
    Move({ProposalState.REGISTERED, ProposalState.UNDER_REVIEW}, "review", _reviewer, ProposalState.UNDER_REVIEW),
    Move({ProposalState.REGISTERED, ProposalState.UNDER_REVIEW}, "return", _of_secretariat, ProposalState.RETURNED),
    Move({ProposalState.UNDER_REVIEW}, "file", _committee, ProposalState.FILED),
    Move({ProposalState.UNDER_REVIEW}, "reject", _committee, ProposalState.REJECTED),
    Move({ProposalState.UNDER_REVIEW}, "convert", _converter, ProposalState.FILED),
    Move(REGISTERED, "merge", _merger, ProposalState.MERGED),
    Move({ProposalState.MERGED}, "unmerge", _unmerger),
    Move({ProposalState.FILED}, "dispatch", _dispatcher, ProposalState.DISPATCHED),
    Move(IN_HAND, "mark_key", _dispatching_leader),
    Move(IN_HAND, "suspend", _suspender),
    Move(IN_HAND, "resume", _resumer),
)


def case_abilities(actor: Actor, at: Standing) -> list[Ability]:
    """Every verb of a case, allowed or denied with its reason."""
    state = ProposalState(at.proposal.state)
    return [Ability(verb, _judge(CASE_MOVES, actor, state, at, verb)) for verb in _verbs(CASE_MOVES)]


def check_case(actor: Actor, at: Standing, verb: str) -> CaseMove:
    """The move that `verb` makes. Raises Denied with the reason that greys its button, Invalid for no verb at all."""
    return _check(CASE_MOVES, actor, ProposalState(at.proposal.state), at, verb)


def text_digest(title: str, situation: str, analysis: str, request: str) -> str:
    """The SHA-256 of what proposers stand behind."""
    parts = {"title": title, "situation": situation, "analysis": analysis, "request": request}
    return sha256(canonical_json(parts)).hexdigest()


def check_draft(kind: ProposalKind, body: Assembly, form: ProposalForm, members: Sequence[UUID]) -> None:
    """What even a draft must say of itself. Raises Invalid."""
    if kind not in KINDS[body]:
        raise Invalid(KIND_OF_BODY)
    if not members:
        raise Invalid(NO_LEAD)
    if len(set(members)) != len(members):
        raise Invalid(TWICE)
    if (form is ProposalForm.INDIVIDUAL) != (len(members) == 1) and form in {
        ProposalForm.INDIVIDUAL,
        ProposalForm.JOINT,
    }:
        raise Invalid(FORM_AND_NUMBER)


def check_complete(proposal: Proposal, proposers: Sequence[Proposer], cosigners_least: int) -> None:
    """What must be there before it is submitted: three parts, and everybody's consent to this very text.

    Raises Invalid for what is missing, Conflict for who has not consented.
    """
    for text, reason in (
        (proposal.title, NO_TITLE),
        (proposal.situation, NO_SITUATION),
        (proposal.analysis, NO_ANALYSIS),
        (proposal.request, NO_REQUEST),
    ):
        if not text.strip():
            raise Invalid(reason)
    is_joint_bill = proposal.kind == ProposalKind.BILL and proposal.form == ProposalForm.JOINT
    if is_joint_bill and len(proposers) < cosigners_least:
        raise Invalid(TOO_FEW_COSIGNERS, least=cosigners_least, found=len(proposers))
    if missing := [p for p in proposers if p.position > 0 and not stands_behind(p, proposal.text_sha256)]:
        raise Conflict(NOT_CONSENTED, missing=len(missing))


def stands_behind(proposer: Proposer, text_sha256: str) -> bool:
    """Whether a proposer has consented to this very text."""
    has_consented = proposer.consent in {Consent.SIGNED, Consent.PAPER}
    return has_consented and proposer.consented_sha256 == text_sha256


def check_reason(text: str) -> None:
    """Raises Invalid when nobody says why."""
    if not text.strip():
        raise Invalid(REASON_NEEDED)


def check_checklist(confirmed: Collection[str]) -> None:
    """Raises Invalid unless every point of admissibility was confirmed."""
    if set(confirmed) != set(CHECKLIST_ITEMS):
        raise Invalid(CHECKLIST, missing=sorted(set(CHECKLIST_ITEMS) - set(confirmed)))


def check_merge(source: Proposal, target: Proposal) -> None:
    """Raises Conflict for a target into which nothing merges."""
    fits = source.id != target.id and source.sitting_id == target.sitting_id and source.kind == target.kind
    if not fits or target.state not in REGISTERED:
        raise Conflict(MERGE_ITSELF)


def case_number(sitting: Sitting, kind: ProposalKind, seq: int) -> str:
    """案号: year, term, session, kind and a four-digit running number, `2026-15-4-建-0001`."""
    return f"{sitting.opens_on.year}-{sitting.term}-{sitting.session}-{kind.number_word}-{seq:04d}"


def check_limit(allowed: Allowed, unit: LimitUnit, quantity: int) -> None:
    """Raises Invalid for a limit that counts something else, or nothing."""
    is_time = allowed.unit in _TIME and unit in _TIME
    if not (is_time or unit is allowed.unit) or not 1 <= quantity <= LIMIT_MOST[unit]:
        raise Invalid(BAD_LIMIT, limit=allowed.limit)


_TIME = frozenset({LimitUnit.WORKING_DAY, LimitUnit.DAY, LimitUnit.MONTH})
LIMIT_MOST = {
    LimitUnit.WORKING_DAY: 250,
    LimitUnit.DAY: 366,
    LimitUnit.MONTH: 24,
    LimitUnit.COUNT: 100,
    LimitUnit.PERCENT: 100,
}


def _administrator(actor: Actor) -> Reason | None:
    return None if actor.is_system or actor.has(Role.SYSTEM_ADMIN) else NOT_SYSTEM_ADMIN


def opening_abilities(actor: Actor) -> list[Ability]:
    """Whether the actor may open a sitting."""
    return [Ability("open", _administrator(actor))]


def sitting_abilities(actor: Actor, sitting: Sitting, is_member: bool) -> list[Ability]:
    """What the actor may do at a sitting: change it, keep its list and limits, begin a proposal, give out cases, report."""
    is_clerk = in_secretariat(actor, sitting, Role.CLERK)
    return [
        Ability("change", _administrator(actor)),
        Ability("keep", None if is_clerk else NOT_SECRETARIAT),
        Ability("draft", None if is_clerk or is_member else NOT_A_MEMBER),
        Ability("dispatch", None if in_dispatching(actor, sitting, Role.CLERK) else NOT_DISPATCHER),
        report_ability(actor, sitting),
    ]


def check_organs(sitting: Sitting, wanted: Mapping[str, Any], standing: Collection[UUID], *, is_at_work: bool) -> None:
    """Raises Invalid for an organ that is no more, and for one that would lose the cases before it while it is still there."""
    for role in ("secretariat_id", "dispatching_id", "oversight_id"):
        before, after = getattr(sitting, role), wanted[role]
        if after != before and after not in standing:
            raise Invalid(RETIRED_ORGAN)
        if after != before and is_at_work and before in standing:
            raise Invalid(ORGAN_AT_WORK)


# --- an assignment ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """How an actor stands to one assignment, and what of it the guards ask for."""

    assignment: Assignment
    proposal: Proposal
    sitting: Sitting
    is_return_late: bool = False
    is_organ_retired: bool = False


AssignmentMove = Move[AssignmentState, Given]


def _is_handler(actor: Actor, at: Given) -> bool:
    return actor.has(Role.CLERK) and actor.organ_id == at.assignment.organ_id


def _handler(actor: Actor, at: Given) -> Reason | None:
    if not _is_handler(actor, at):
        return NOT_HANDLER
    return SUSPENDED if at.proposal.is_suspended else None


def _returner(actor: Actor, at: Given) -> Reason | None:
    if reason := _handler(actor, at):
        return reason
    if at.assignment.role == AssignmentRole.REFERENCE:
        return NO_RETURN_COUNTS
    if at.assignment.is_final:
        return RETURN_FINAL
    return RETURN_LATE if at.is_return_late else None


def _answering(actor: Actor, at: Given) -> Reason | None:
    return _handler(actor, at) or (None if AssignmentRole(at.assignment.role).answers else NOT_ANSWERING)


def _cohandling_leader(actor: Actor, at: Given) -> Reason | None:
    if at.assignment.role != AssignmentRole.COHANDLER:
        return NOT_COHANDLING
    if not actor.has(Role.LEADER) or actor.organ_id != at.assignment.organ_id:
        return NOT_HANDLING_LEADER
    return SUSPENDED if at.proposal.is_suspended else None


def _given_out_by(actor: Actor, at: Given) -> Reason | None:
    return None if in_dispatching(actor, at.sitting, Role.CLERK) else NOT_DISPATCHER


def _arbiter(actor: Actor, at: Given) -> Reason | None:
    return None if in_dispatching(actor, at.sitting, Role.LEADER) else NOT_DISPATCHING_LEADER


def _extender(actor: Actor, at: Given) -> Reason | None:
    return _given_out_by(actor, at) or (None if at.assignment.extension_months else NO_EXTENSION_ASKED)


def _succession(actor: Actor, at: Given) -> Reason | None:
    return _given_out_by(actor, at) or (None if at.is_organ_retired else ORGAN_STANDS)


def _checker(actor: Actor, at: Given) -> Reason | None:
    if not in_oversight(actor, at.sitting, Role.OFFICE_REVIEWER):
        return NOT_OVERSIGHT
    return SUSPENDED if at.proposal.is_suspended else None


_UNFINISHED = frozenset(AssignmentState) - {
    AssignmentState.REPLIED,
    AssignmentState.DONE,
    AssignmentState.SUPERSEDED,
}

ASSIGNMENT_MOVES: tuple[AssignmentMove, ...] = (
    Move({AssignmentState.PENDING}, "accept", _handler, AssignmentState.HANDLING),
    Move({AssignmentState.PENDING}, "return", _returner, AssignmentState.RETURN_REQUESTED),
    Move({AssignmentState.RETURN_REQUESTED}, "reassign", _given_out_by, AssignmentState.SUPERSEDED),
    Move({AssignmentState.RETURN_REQUESTED}, "refuse_return", _given_out_by, AssignmentState.HANDLING),
    Move({AssignmentState.ARBITRATION}, "arbitrate", _arbiter, AssignmentState.SUPERSEDED),
    Move(_UNFINISHED, "succeed", _succession),
    Move({AssignmentState.HANDLING}, "give_opinion", _cohandling_leader, AssignmentState.OPINION_GIVEN),
    Move({AssignmentState.HANDLING}, "record_contact", _answering),
    Move({AssignmentState.HANDLING}, "set_points", _answering),
    Move({AssignmentState.HANDLING}, "ask_extension", _answering),
    Move({AssignmentState.HANDLING}, "grant_extension", _extender),
    Move({AssignmentState.HANDLING}, "refuse_extension", _extender),
    Move({AssignmentState.HANDLING}, "reply", _answering, AssignmentState.REPLY_READY),
    Move({AssignmentState.REPLY_READY}, "pass", _checker, AssignmentState.REPLIED),
    Move({AssignmentState.REPLY_READY}, "send_back", _checker, AssignmentState.HANDLING),
    Move({AssignmentState.DONE}, "review_point", _answering),
)


def assignment_abilities(actor: Actor, at: Given) -> list[Ability]:
    """Every verb of an assignment, allowed or denied with its reason."""
    state = AssignmentState(at.assignment.state)
    return [Ability(verb, _judge(ASSIGNMENT_MOVES, actor, state, at, verb)) for verb in _verbs(ASSIGNMENT_MOVES)]


def check_assignment(actor: Actor, at: Given, verb: str) -> AssignmentMove:
    """The move that `verb` makes on an assignment. Raises Denied with its reason, Invalid for no verb at all."""
    return _check(ASSIGNMENT_MOVES, actor, AssignmentState(at.assignment.state), at, verb)


def check_handlers(wanted: Sequence[tuple[UUID, AssignmentRole]], **facts: str) -> None:
    """Who may be given one case together: one lead, or two or more that answer separately. Raises Invalid with `facts`."""
    organs = [organ_id for organ_id, _role in wanted]
    if len(set(organs)) != len(organs):
        raise Invalid(ROLES_OVERLAP, **facts)
    roles = [role for _organ_id, role in wanted]
    leads, separate = roles.count(AssignmentRole.LEAD), roles.count(AssignmentRole.SEPARATE)
    if leads and separate:
        raise Invalid(LEAD_AND_SEPARATE, **facts)
    if leads != 1 and separate < SEPARATE_LEAST:
        raise Invalid(NOBODY_ANSWERS, **facts)


SEPARATE_LEAST = 2


def after_return(assignment: Assignment, returns_most: int) -> AssignmentState:
    """A case that went back and forth so often is decided by a leader, and not by one more return."""
    return AssignmentState.ARBITRATION if assignment.returns >= returns_most else AssignmentState.RETURN_REQUESTED


def check_suggested(assignment: Assignment, suggested: UUID | None) -> None:
    """Raises Invalid unless a return names another organ."""
    if suggested is None:
        raise Invalid(SUGGEST_NEEDED)
    if suggested == assignment.organ_id:
        raise Invalid(SUGGEST_ITSELF)


# --- replies and judgements -------------------------------------------------------------------------------------------

_WORSE = list(ResultClass)


def class_of_points(points: Sequence[Point]) -> ResultClass:
    """The class that most points have; of two that as many have, the worse."""
    found = [ResultClass(point.result) for point in points]
    return max(_WORSE, key=lambda one: (found.count(one), _WORSE.index(one)))


def check_points(points: Sequence[Point]) -> None:
    """Every point says what becomes of it. Raises Conflict."""
    if not points:
        raise Conflict(NO_POINTS)
    for point in points:
        lacks_day = point.result == ResultClass.B and point.planned_on is None
        if not (point.result and point.measure.strip() and point.owner.strip()) or lacks_day:
            raise Conflict(POINTS_OPEN, point=point.position)


def check_review(point: Point | None, result: ResultClass, planned_on: date | None) -> Point:
    """The point that is looked at again, which is one that was not done. Raises Invalid for another, and for a plan without a day."""
    if point is None or point.result not in {ResultClass.B, ResultClass.C}:
        raise Invalid(POINT_CLASS)
    if result is ResultClass.B and planned_on is None:
        raise Invalid(DAY_NEEDED)
    return point


def check_class(result: ResultClass, points: Sequence[Point]) -> None:
    """Raises Conflict for a reply that makes itself better than its points are."""
    most = class_of_points(points)
    if _WORSE.index(result) < _WORSE.index(most):
        raise Conflict(CLASS_OF_POINTS, most=most.value)


def check_contacts(proposers: Collection[UUID], spoken_with: Collection[UUID]) -> None:
    """Raises Conflict while a proposer has not been spoken with in this round."""
    if missing := set(proposers) - set(spoken_with):
        raise Conflict(NO_CONTACT, missing=len(missing))


def check_cohandlers(waiting: int) -> None:
    """Raises Conflict while co-handlers have time left and have said nothing."""
    if waiting:
        raise Conflict(COHANDLERS_OPEN, waiting=waiting)


def check_judgement(result: Satisfaction, attitude: Satisfaction, text: str) -> None:
    """Raises Invalid for a bad judgement that nobody could act on."""
    if Satisfaction.UNSATISFIED in {result, attitude} and not text.strip():
        raise Invalid(UNSATISFIED_WHY)


JUDGED = frozenset({FeedbackState.SIGNED, FeedbackState.CODED, FeedbackState.PAPER})


def is_settled(feedback: Sequence[Feedback]) -> bool:
    """Whether everybody has judged, or let the time for it pass."""
    return all(row.state in JUDGED | {FeedbackState.EXPIRED} for row in feedback)


def wants_another_round(feedback: Sequence[Feedback], lead_id: UUID, percent: int) -> bool:
    """A case is handled again when its lead proposer is not satisfied, or so many of a hundred who judged are not."""
    judged = [row for row in feedback if row.state in JUDGED]
    unsatisfied = [row for row in judged if row.result == Satisfaction.UNSATISFIED]
    return any(row.proposer_id == lead_id for row in unsatisfied) or 100 * len(unsatisfied) >= percent * len(judged) > 0


def after_judgement(points: Sequence[Point]) -> ProposalState:
    """What was promised and is not done yet is followed up; the rest is closed."""
    tracked = any(point.result == ResultClass.B for point in points)
    return ProposalState.TRACKING if tracked else ProposalState.CLOSED
