"""Proposals over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.core.errors import (
    NOT_FOUND,
    Conflict,
    Denied,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from oa_server.core.words import Word
from oa_server.deadlines import access as deadlines
from oa_server.deadlines.answers import explanation_out
from oa_server.deadlines.schemas import ClockExplanationOut
from oa_server.documents import access as documents
from oa_server.documents.actions import Act
from oa_server.documents.office import Office
from oa_server.documents.pages import pages_key
from oa_server.documents.schemas import AskIn, AskOut
from oa_server.identity import access as identity
from oa_server.proposals import (
    access,
    actions,
    answers,
    asking,
    assigning,
    drafting,
    indexing,
    judging,
    published,
    reporting,
    rules,
    sittings,
    states,
)
from oa_server.proposals.access import AssignmentFilter, ListFilter
from oa_server.proposals.figures import BY_CODE, Key, members, parts
from oa_server.proposals.likeness import Text
from oa_server.proposals.limits import Limit
from oa_server.proposals.schemas import (
    AlikeIn,
    AlikeList,
    AskedByCode,
    AssignmentList,
    AssignmentListFilter,
    AssignmentQuery,
    CodeIn,
    CodeOut,
    DispatchIn,
    DispatchOut,
    FiguresOut,
    FiguresQuery,
    JudgedByCode,
    JudgementIn,
    LimitIn,
    LimitList,
    LimitOut,
    LoadList,
    LoadOut,
    MemberList,
    MemberQuery,
    MembersIn,
    ProposalActIn,
    ProposalElements,
    ProposalFilter,
    ProposalIn,
    ProposalList,
    ProposalOut,
    ProposalPatch,
    ProposalQuery,
    ProposalWords,
    PublishedCase,
    PublishedFilter,
    PublishedList,
    PublishedQuery,
    ReportBegun,
    SessionsCompared,
    SittingIn,
    SittingList,
    SittingOut,
    SittingPatch,
    WaitingList,
    WaitingOut,
    WallOut,
)
from oa_server.proposals.states import AssignmentState, AssignmentWait, CaseWait, ProposalState
from oa_server.proposals.wall import wall_out
from oa_server.signing.actions import SigningDesk
from oa_server.signing.answers import assembled, chosen_key
from oa_server.web.endpoint import PDF, Access, Call, endpoint, inline, resource
from oa_server.web.shapes import Named, ability_out
from oa_server.web.sheets import CSV, EXPORT_LIMIT, XLSX, leave_as_book, leave_as_csv, whole


def _office(call: Call[Any]) -> Office:
    found: Office = call.request.app.state.office
    return found


def _desk(call: Call[Any]) -> SigningDesk:
    return _office(call).signing


# --- sittings -----------------------------------------------------------------------------------------------------------


@endpoint(summary="建议提案用语：类别、形式、状态、办理结果", returns=ProposalWords)
async def vocabulary(_call: Call[None]) -> ProposalWords:
    kinds = [kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, Word)]
    return ProposalWords({kind.__name__: _words(kind) for kind in kinds if kind is not Word}, [*rules.CHECKLIST_ITEMS])


def _words(words: Iterable[Word]) -> list[list[str]]:
    return [[word.value, word.title_zh] for word in words]


@endpoint(summary="届次", returns=SittingList)
async def list_sittings(call: Call[None]) -> SittingList:
    items = await answers.sittings_out(call.actor, await access.sittings(), call.language)
    return SittingList(items, [ability_out(a, call.language) for a in rules.opening_abilities(call.actor)])


@endpoint(summary="设立届次", body=SittingIn, returns=SittingList, status=201, once=True, refuses=(NotFound, Conflict))
async def open_sitting(call: Call[SittingIn]) -> SittingList:
    row = await sittings.open_sitting(call.actor, **msgspec.structs.asdict(call.body))
    return SittingList(await answers.sittings_out(call.actor, [row], call.language), [])


@endpoint(
    summary="修改届次的名称、日期和机关",
    body=SittingPatch,
    returns=SittingOut,
    needs=["If-Match"],
    refuses=(NotFound, Conflict, PreconditionFailed, PreconditionRequired),
)
async def change_sitting(call: Call[SittingPatch]) -> SittingOut:
    row = await sittings.change_sitting(call.actor, call.id(), call.if_match, msgspec.structs.asdict(call.body))
    return (await answers.sittings_out(call.actor, [row], call.language))[0]


@endpoint(summary="届次的时限与规则", returns=LimitList)
async def list_limits(call: Call[None]) -> LimitList:
    await access.sitting(call.id())
    allowed = await access.limits(call.id())
    return LimitList([LimitOut(a.limit, a.title, a.unit, a.quantity, a.source) for a in allowed.values()])


@endpoint(summary="修改届次的一项时限", body=LimitIn, refuses=[NotFound])
async def set_limit(call: Call[LimitIn]) -> None:
    try:
        limit = Limit(call.request.path_params["limit"])
    except ValueError:
        raise NotFound(rules.BAD_LIMIT) from None
    await sittings.set_limit(call.actor, call.id(), limit, **msgspec.structs.asdict(call.body))


@endpoint(summary="届次的代表、委员名册", query=MemberQuery, returns=MemberList)
async def list_members(call: Call[None]) -> MemberList:
    await access.sitting(call.id())
    return MemberList([answers.member_out(row) for row in await access.members(call.id(), call.query.q.strip())])


@endpoint(summary="登记代表、委员", body=MembersIn, returns=MemberList, refuses=(NotFound, Conflict))
async def keep_members(call: Call[MembersIn]) -> MemberList:
    rows = [msgspec.structs.asdict(row) for row in call.body.members]
    return MemberList([answers.member_out(row) for row in await sittings.keep_members(call.actor, call.id(), rows)])


@endpoint(summary="移出代表、委员", refuses=(NotFound, Conflict))
async def remove_member(call: Call[None]) -> None:
    await sittings.remove_member(call.actor, call.id(), call.id("member"))


@endpoint(summary="各单位承办件数", returns=LoadList)
async def show_load(call: Call[None]) -> LoadList:
    await access.sitting(call.id())
    load = await access.load_of(call.id())
    names = await identity.organ_short_names(load)
    items = [LoadOut(Named(organ_id, names[organ_id]), count) for organ_id, count in load.items()]
    return LoadList(sorted(items, key=lambda one: -one.count))


@endpoint(summary="届次的统计", query=FiguresQuery, returns=FiguresOut, refuses=[NotFound])
async def show_figures(call: Call[None]) -> FiguresOut:
    return await answers.figures_out(call.actor, await access.sitting(call.id()), call.query.by)


@endpoint(summary="导出届次的统计", returns=XLSX, refuses=[NotFound])
async def export_figures(call: Call[None]) -> Response:
    sitting = await access.sitting(call.id())
    sheets = await answers.figure_sheets(call.actor, sitting)
    name = f"{sitting.title}建议提案统计.xlsx"
    return await leave_as_book(call, name, sheets, verb=Verb.LIST_EXPORTED, subject="figures")


@endpoint(summary="办理情况报告的版面", returns=PDF, refuses=[Denied, NotFound])
async def show_report(call: Call[None]) -> Response:
    rendered = await reporting.lay_out(_office(call), call.actor, await access.sitting(call.id()))
    return Response(rendered.pdf, media_type=PDF.media_type)


@endpoint(summary="起草办理情况报告", returns=ReportBegun, status=201, once=True, refuses=[NotFound])
async def begin_report(call: Call[None]) -> ReportBegun:
    return ReportBegun(await reporting.begin(_office(call), call.actor, await access.sitting(call.id())))


@endpoint(summary="届次大屏：本周到期和最新办理", returns=WallOut, refuses=[NotFound])
async def show_wall(call: Call[None]) -> WallOut:
    return await wall_out(call.actor, await access.sitting(call.id()))


@endpoint(summary="各届次对比", returns=SessionsCompared)
async def compare_sessions(call: Call[None]) -> SessionsCompared:
    return SessionsCompared(await answers.sessions_out(call.actor))


# --- cases --------------------------------------------------------------------------------------------------------------


def _states(text: str, words: type[Word]) -> tuple[str, ...]:
    """States that are named one after another. Raises Invalid for one that there is not."""
    try:
        return tuple(words(one) for one in text.split(",") if one)
    except ValueError:
        raise Invalid(rules.NO_CHOICE) from None


def _filter(query: ProposalFilter, **more: Any) -> ListFilter:
    return ListFilter(
        sitting_id=query.sitting_id,
        states=_states(query.state, ProposalState),
        kind=query.kind,
        category=query.category,
        organ_id=query.organ_id,
        words=query.q.strip(),
        mine=query.mine,
        key=query.key,
        waiting=query.waiting,
        oldest_first=query.sort == "oldest",
        **more,
    )


async def _behind(call: Call[Any]) -> set[Key] | None:
    """The cases behind a figure, where the list is asked for those. Raises Invalid for no figure of a sitting."""
    query: ProposalFilter = call.query
    if not query.figure:
        return None
    if query.sitting_id is None or query.figure not in BY_CODE:
        raise Invalid(rules.NO_SUCH_FIGURE)
    facts = await access.facts(call.actor, query.sitting_id)
    part = parts(facts, query.by).get(query.part, set()) if query.part else None
    return members(facts, query.figure, counted=query.counted, part=part)


@endpoint(summary="相似的建议提案和建议的承办单位", body=AlikeIn, returns=AlikeList, refuses=[NotFound])
async def find_alike(call: Call[AlikeIn]) -> AlikeList:
    wanted = call.body
    text = Text(wanted.title, f"{wanted.situation}\n{wanted.analysis}\n{wanted.request}")
    if wanted.proposal_id is not None:
        known = await access.proposal(call.actor, wanted.proposal_id)
        text = text if text.title or text.body.strip() else indexing.text_of(known)
    return await answers.alike_out(text, await indexing.alike(call.actor, text, besides=wanted.proposal_id))


@endpoint(summary="待我办理的建议提案", returns=WaitingList)
async def list_waiting(call: Call[None]) -> WaitingList:
    counts = await access.waiting_for(call.actor)
    kinds: dict[type[Word], Literal["proposals", "assignments"]] = {
        CaseWait: "proposals",
        AssignmentWait: "assignments",
    }
    return WaitingList([WaitingOut(what, what.title_zh, kinds[type(what)], count) for what, count in counts.items()])


@endpoint(summary="建议提案清单", query=ProposalQuery, returns=ProposalList)
async def list_proposals(call: Call[None]) -> ProposalList:
    wanted = _filter(call.query, ids=await _behind(call), after=call.after("proposals"), limit=call.query.limit)
    rows = await access.proposal_list(call.actor, wanted)
    return ProposalList(await answers.proposal_rows(rows), call.further("proposals", rows))


@endpoint(summary="导出建议提案清单", query=ProposalFilter, returns=CSV)
async def export_proposals(call: Call[None]) -> Response:
    wanted = _filter(call.query, ids=await _behind(call), limit=EXPORT_LIMIT + 1)
    rows = whole(await access.proposal_list(call.actor, wanted))
    header = ("案号", "案由", "类别", "状态", "领衔人", "提案人数", "内容分类", "承办单位", "提交日期", "时限", "重点")
    cells = [
        (
            row.case_no,
            row.title,
            row.kind_title,
            row.state_title,
            row.lead,
            row.proposers,
            row.category,
            "、".join(row.handlers),
            row.submitted_on,
            row.clock.due if row.clock else "",
            "是" if row.is_key else "",
        )
        for row in await answers.proposal_rows(rows)
    ]
    return await leave_as_csv(call, "建议提案清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="proposals")


def _columns(elements: ProposalElements) -> dict[str, Any]:
    return msgspec.structs.asdict(elements)


@endpoint(summary="起草建议提案", body=ProposalIn, returns=ProposalOut, status=201, once=True, refuses=[NotFound])
async def create_proposal(call: Call[ProposalIn]) -> ProposalOut:
    body = call.body
    row = await drafting.draft(call.actor, body.sitting_id, _columns(body.elements), body.members)
    return await answers.proposal_out(call.actor, row, call.language)


@endpoint(summary="一件建议提案及其全部经过", returns=ProposalOut)
async def show_proposal(call: Call[None]) -> ProposalOut:
    row = await access.proposal(call.actor, call.id())
    return await answers.proposal_out(call.actor, row, call.language)


@endpoint(
    summary="修改建议提案草稿",
    body=ProposalPatch,
    returns=ProposalOut,
    needs=["If-Match"],
    refuses=(Conflict, PreconditionFailed, PreconditionRequired),
)
async def change_proposal(call: Call[ProposalPatch]) -> ProposalOut:
    body = call.body
    row = await drafting.revise(call.actor, call.id(), call.if_match, _columns(body.elements), body.members)
    return await answers.proposal_out(call.actor, row, call.language)


@endpoint(summary="请求对建议提案的一项操作签名", body=AskIn, returns=AskOut, status=201, refuses=[Conflict])
async def ask_case(call: Call[AskIn]) -> AskOut:
    wanted = Act(call.body.verb, call.body.opinion, call.body.reason, call.body.parameters)
    asked = await asking.ask(
        _desk(call), call.actor, call.id(), wanted, chosen_key(call.body.certificate, call.body.chain)
    )
    return AskOut(asked.request_id, asked.request, asked.expires_at)


async def _act(call: Call[ProposalActIn], subject_id: UUID) -> Act:
    body = call.body
    signed = await assembled(_desk(call), call.actor, subject_id, body.verb, body.signature)
    return Act(body.verb, body.opinion, body.reason, body.parameters, signed)


@endpoint(summary="对建议提案进行一项操作", body=ProposalActIn, returns=ProposalOut, refuses=(Conflict, Gone))
async def act_on_case(call: Call[ProposalActIn]) -> ProposalOut:
    await access.proposal(call.actor, call.id())
    wanted = await _act(call, call.id())
    if wanted.verb == asking.JUDGE:
        if wanted.signed is None:
            raise Invalid(rules.NOT_JUDGED_YET)
        await judging.judge_signed(call.actor, call.id(), wanted.signed)
        row = await access.proposal(call.actor, call.id())
    else:
        row = await actions.act(call.actor, call.id(), wanted)
    return await answers.proposal_out(call.actor, row, call.language)


@endpoint(summary="一项时限逐日的计算", returns=ClockExplanationOut, refuses=[NotFound])
async def explain_clock(call: Call[None]) -> ClockExplanationOut:
    proposal = await access.proposal(call.actor, call.id())
    subjects = {proposal.id, *(row.id for row in await access.assignments_of([proposal.id]))}
    clock = await deadlines.clock(call.id("clock"))
    if clock.subject_id not in subjects:
        raise NotFound(NOT_FOUND)
    return await explanation_out(clock)


@endpoint(summary="答复公文的正本", returns=PDF)
async def read_reply(call: Call[None]) -> Response:
    proposal = await access.proposal(call.actor, call.id())
    reply = await access.reply(call.actor, proposal, call.id("document"))
    return await _sealed_pages(call, reply.document_id)


async def _sealed_pages(call: Call[None], document_id: UUID) -> Response:
    document = await documents.sealed_document(call.actor, document_id)
    data = await _office(call).store.get(pages_key(document.sealed_sha256))
    return inline(f"{document.doc_no}.pdf", PDF.media_type, data, etag=document.sealed_sha256)


@endpoint(summary="批量交办", body=DispatchIn, returns=DispatchOut, refuses=(NotFound, Conflict))
async def dispatch(call: Call[DispatchIn]) -> DispatchOut:
    given = [
        assigning.Dispatch(one.proposal_id, [(handler.organ_id, handler.role) for handler in one.handlers])
        for one in call.body.cases
    ]
    return DispatchOut(len(given), await assigning.dispatch_many(call.actor, given))


# --- what is public -----------------------------------------------------------------------------------------------------


def _published(query: PublishedFilter, **more: Any) -> ListFilter:
    return ListFilter(
        sitting_id=query.sitting_id,
        category=query.category,
        organ_id=query.organ_id,
        words=query.q.strip(),
        oldest_first=query.sort == "oldest",
        **more,
    )


@endpoint(summary="公开的建议提案清单", query=PublishedQuery, returns=PublishedList)
async def list_published(call: Call[None]) -> PublishedList:
    wanted = _published(call.query, after=call.after("published"), limit=call.query.limit)
    rows = await access.published_list(wanted)
    return PublishedList(await published.rows_out(rows), call.further("published", rows))


@endpoint(summary="导出公开的建议提案清单", query=PublishedFilter, returns=CSV)
async def export_published(call: Call[None]) -> Response:
    rows = whole(await access.published_list(_published(call.query, limit=EXPORT_LIMIT + 1)))
    header = (
        "届次",
        "案号",
        "案由",
        "类别",
        "内容分类",
        "领衔人",
        "提案人数",
        "承办单位",
        "提交日期",
        "办理情况",
        "公开的答复",
    )
    cells = [
        (
            row.sitting,
            row.case_no,
            row.title,
            row.kind_title,
            row.category,
            row.lead,
            row.proposers,
            "、".join(row.handlers),
            row.submitted_on,
            "已答复" if row.is_answered else "办理中",
            "、".join(row.replies),
        )
        for row in await published.rows_out(rows)
    ]
    return await leave_as_csv(
        call, "公开的建议提案清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="published_proposals"
    )


@endpoint(summary="一件公开的建议提案及其公开的答复", returns=PublishedCase)
async def show_published(call: Call[None]) -> PublishedCase:
    return await published.case_out(await access.published(call.id()))


@endpoint(summary="公开的答复的正本", returns=PDF)
async def read_published_reply(call: Call[None]) -> Response:
    row = await access.published(call.id())
    return await _sealed_pages(call, await published.full_reply(row, call.id("document")))


# --- assignments --------------------------------------------------------------------------------------------------------


def _assignment_filter(query: AssignmentListFilter, **more: Any) -> AssignmentFilter:
    return AssignmentFilter(
        sitting_id=query.sitting_id,
        states=_states(query.state, AssignmentState),
        role=query.role,
        organ_id=query.organ_id,
        own=query.own,
        waiting=query.waiting,
        words=query.q.strip(),
        oldest_first=query.sort == "oldest",
        **more,
    )


@endpoint(summary="承办件清单", query=AssignmentQuery, returns=AssignmentList)
async def list_assignments(call: Call[None]) -> AssignmentList:
    wanted = _assignment_filter(call.query, after=call.after("assignments"), limit=call.query.limit)
    rows = await access.assignment_list(call.actor, wanted)
    return AssignmentList(await answers.assignment_rows(rows), call.further("assignments", rows))


@endpoint(summary="导出承办件清单", query=AssignmentListFilter, returns=CSV)
async def export_assignments(call: Call[None]) -> Response:
    rows = whole(await access.assignment_list(call.actor, _assignment_filter(call.query, limit=EXPORT_LIMIT + 1)))
    header = ("案号", "案由", "领衔人", "承办单位", "角色", "状态", "交办日期", "时限", "重点", "中止")
    cells = [
        (
            row.case_no,
            row.title,
            row.lead,
            row.organ.name,
            row.role_title,
            row.state_title,
            row.dispatched_on,
            row.clock.due if row.clock else "",
            "是" if row.is_key else "",
            "是" if row.is_suspended else "",
        )
        for row in await answers.assignment_rows(rows)
    ]
    return await leave_as_csv(call, "承办件清单.csv", header, cells, verb=Verb.LIST_EXPORTED, subject="assignments")


@endpoint(summary="请求对承办件的一项操作签名", body=AskIn, returns=AskOut, status=201, refuses=[Conflict])
async def ask_on_assignment(call: Call[AskIn]) -> AskOut:
    wanted = Act(call.body.verb, call.body.opinion, call.body.reason, call.body.parameters)
    asked = await asking.ask_on_assignment(
        _desk(call), call.actor, call.id(), wanted, chosen_key(call.body.certificate, call.body.chain)
    )
    return AskOut(asked.request_id, asked.request, asked.expires_at)


@endpoint(summary="对承办件进行一项操作", body=ProposalActIn, returns=ProposalOut, refuses=(Conflict, Gone))
async def act_on_assignment(call: Call[ProposalActIn]) -> ProposalOut:
    await access.assignment(call.actor, call.id())
    row = await actions.act_on_assignment(call.actor, call.id(), await _act(call, call.id()))
    proposal = await access.proposal(call.actor, row.proposal_id)
    return await answers.proposal_out(call.actor, proposal, call.language)


# --- judgements ---------------------------------------------------------------------------------------------------------


@endpoint(summary="交给提案人一次性评价码（只显示这一次）", returns=CodeOut, status=201, refuses=(NotFound, Conflict))
async def hand_over_code(call: Call[None]) -> CodeOut:
    return CodeOut(await judging.hand_over_code(call.actor, call.id()))


@endpoint(summary="代录书面评价（另一人复核后生效）", body=JudgementIn, refuses=(NotFound, Conflict))
async def enter_paper(call: Call[JudgementIn]) -> None:
    await judging.enter_paper(call.actor, call.id(), msgspec.structs.asdict(call.body))


@endpoint(summary="复核代录的书面评价", refuses=(NotFound, Conflict))
async def confirm_paper(call: Call[None]) -> None:
    await judging.confirm_paper(call.actor, call.id())


@endpoint(summary="评价码对应的事项", body=CodeIn, returns=AskedByCode, access=Access.OPEN, refuses=[NotFound])
async def asked_by_code(call: Call[CodeIn]) -> AskedByCode:
    return await answers.asked_by_code(await judging.by_code(call.body.code))


@endpoint(summary="用评价码评价", body=JudgedByCode, access=Access.OPEN, refuses=(NotFound, Conflict))
async def judge_by_code(call: Call[JudgedByCode]) -> None:
    await judging.judge_by_code(call.body.code, msgspec.structs.asdict(call.body.judgement))


routes = [
    resource("/api/proposals/vocabulary", GET=vocabulary),
    resource("/api/sittings", GET=list_sittings, POST=open_sitting),
    resource("/api/sittings/{id}/limits", GET=list_limits),
    resource("/api/sittings/{id}/limits/{limit}", PUT=set_limit),
    resource("/api/sittings/{id}/members", GET=list_members, PUT=keep_members),
    resource("/api/sittings/{id}/members/{member}", DELETE=remove_member),
    resource("/api/sittings/compared", GET=compare_sessions),
    resource("/api/sittings/{id}", PATCH=change_sitting),
    resource("/api/sittings/{id}/load", GET=show_load),
    resource("/api/sittings/{id}/figures", GET=show_figures),
    resource("/api/sittings/{id}/figures.xlsx", GET=export_figures),
    resource("/api/sittings/{id}/report", POST=begin_report),
    resource("/api/sittings/{id}/report.pdf", GET=show_report),
    resource("/api/sittings/{id}/wall", GET=show_wall),
    resource("/api/proposals/waiting", GET=list_waiting),
    resource("/api/proposals", GET=list_proposals, POST=create_proposal),
    resource("/api/proposals.csv", GET=export_proposals),
    resource("/api/proposals/dispatch", POST=dispatch),
    resource("/api/proposals/alike", POST=find_alike),
    resource("/api/proposals/published", GET=list_published),
    resource("/api/proposals/published.csv", GET=export_published),
    resource("/api/proposals/published/{id}", GET=show_published),
    resource("/api/proposals/published/{id}/replies/{document}/pages.pdf", GET=read_published_reply),
    resource("/api/proposals/{id}", GET=show_proposal, PATCH=change_proposal),
    resource("/api/proposals/{id}/signatures", POST=ask_case),
    resource("/api/proposals/{id}/acts", POST=act_on_case),
    resource("/api/proposals/{id}/clocks/{clock}", GET=explain_clock),
    resource("/api/proposals/{id}/replies/{document}/pages.pdf", GET=read_reply),
    resource("/api/assignments", GET=list_assignments),
    resource("/api/assignments.csv", GET=export_assignments),
    resource("/api/assignments/{id}/signatures", POST=ask_on_assignment),
    resource("/api/assignments/{id}/acts", POST=act_on_assignment),
    resource("/api/feedback/{id}/code", POST=hand_over_code),
    resource("/api/feedback/{id}/paper", PUT=enter_paper),
    resource("/api/feedback/{id}/confirmation", POST=confirm_paper),
    resource("/api/judgements/code", POST=asked_by_code),
    resource("/api/judgements", POST=judge_by_code),
]
