"""The sitting of the sample city's congress: its deputies' suggestions, each taken as far as it has come by those who may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from oa_server.app import House
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.demo import city
from oa_server.demo.desks import Desks, choice
from oa_server.demo.enrolment import actor_named
from oa_server.demo.papers import Paper
from oa_server.demo.past import on_day, working_day
from oa_server.demo.suggestions import Deputy, Step, Suggestion, suggestions
from oa_server.documents.actions import Act
from oa_server.documents.states import DocKind, Publicity
from oa_server.identity import access as identity
from oa_server.proposals import access, actions, asking, cases, drafting, judging, rules, sittings
from oa_server.proposals.models import Assignment, Proposal
from oa_server.proposals.schemas import MemberIn, ProposalElements
from oa_server.proposals.states import (
    Assembly,
    AssignmentState,
    ContactForm,
    ProposalForm,
    ProposalKind,
    ReplyPublicity,
    Satisfaction,
)

TITLE = "江城市第十五届人民代表大会第四次会议"
TERM, SESSION = 15, 4
OPENED, CLOSED = 122, 117  # days ago
_PHONE = "1380000{0:04d}"

_REVIEWED = "一事一案，情况属实，建议具体，拟同意立案。"
_OPINION = "同意主办单位意见，我单位将在职责范围内积极配合落实。"
_SPOKEN = "向代表介绍了办理思路和进展，当面听取意见，代表表示认可，并就落实时限提出了建议。"
_TOLD = "已由承办单位电话向领衔代表说明延期原因，代表表示理解。"
_CLOSED_GROUND = "答复涉及尚未公布的工作安排，公开摘要。"
_GRATITUDE = "感谢您对我市工作的关心和支持，希望继续提出宝贵意见。"
_HEADINGS = "一二三四五六七八九"


class SampleSitting:
    """The sitting with its deputies, and who does what there."""

    def __init__(self, house: House, desks: Desks) -> None:
        self._house = house
        self._desks = desks
        self._told = suggestions()
        self._congress = desks.cast(city.CONGRESS)
        self._office = desks.cast(city.OFFICE)
        self._head, self._second_clerk = desks.units[city.CONGRESS, city.DEPUTY_AFFAIRS]
        with_account = [one.code for one in self._told.member if one.account]
        self._accounts = dict(zip(with_account, desks.units[city.CONGRESS, city.DEPUTIES], strict=True))
        self._today = clock.today()  # from which days are counted, also while the clock is moved back
        self._sitting_id = UUID(int=0)
        self._members: dict[str, UUID] = {}
        self._cases: dict[str, UUID] = {}
        self._organs: dict[str, UUID] = {}
        self._actors: dict[str, Actor] = {}

    def signers(self) -> list[str]:
        """Who needs a key besides the clerks: who reviews and signs the replies, the congress's people, two deputies."""
        casts = [self._desks.cast(case.answering) for case in self._told.case if case.answered is not None]
        answering = [code for cast in casts for code in (cast.unit_head, cast.reviewer, cast.leader)]
        return [*answering, self._congress.leader, self._head, self._second_clerk, *self._accounts.values()]

    async def open(self, administrator: Actor) -> None:
        """Open the sitting, and enter its deputies."""
        self._organs = {one["code"]: one["id"] for one in await identity.organs()}
        congress, office = self._organs[city.CONGRESS], self._organs[city.OFFICE]
        row = await sittings.open_sitting(
            administrator,
            body=Assembly.CONGRESS,
            term=TERM,
            session=SESSION,
            title=TITLE,
            opens_on=clock.today(),
            closes_on=clock.today() + timedelta(days=OPENED - CLOSED),
            secretariat_id=congress,
            dispatching_id=office,
            oversight_id=office,
            review_levels=1,
        )
        self._sitting_id = row.id
        wanted = [await self._member(number, one) for number, one in enumerate(self._told.member, 1)]
        clerk = await self._actor(self._congress.clerk)
        rows = await sittings.keep_members(clerk, row.id, [msgspec.structs.asdict(one) for one in wanted])
        self._members = {member.code: member.id for member in rows}

    async def _member(self, number: int, one: Deputy) -> MemberIn:
        official = await identity.official_by_code(self._accounts[one.code]) if one.account else None
        return MemberIn(
            code=one.code,
            name=official.name if official else one.name,
            delegation=one.delegation,
            employer=one.employer,
            duty=one.duty,
            phone=_PHONE.format(number),
            official_id=official.id if official else None,
        )

    async def play(self) -> None:
        """Do what was done with every suggestion, day by day."""
        days: dict[date, list[tuple[Suggestion, Step]]] = defaultdict(list)
        for case in self._told.case:
            for step in case.steps():
                days[working_day(step.days_ago)].append((case, step))
        for day in sorted(days):
            async with on_day(self._house, day):
                for case, step in days[day]:
                    await self._steps[step.name](self, case, step.round_no)

    # --- the congress ---------------------------------------------------------------------------------------------

    async def _draft(self, case: Suggestion, _round_no: int) -> None:
        joint = len(case.members) > 1
        elements = ProposalElements(
            kind=ProposalKind.SUGGESTION,
            form=ProposalForm.JOINT if joint else ProposalForm.INDIVIDUAL,
            title=case.title,
            occasion=case.occasion,
            category=case.category,
            situation=case.situation,
            analysis=case.analysis,
            request=case.request,
        )
        author = await self._actor(self._author(case))
        members = [self._members[code] for code in case.members]
        row = await drafting.draft(author, self._sitting_id, msgspec.structs.asdict(elements), members)
        self._cases[case.key] = row.id

    def _author(self, case: Suggestion) -> str:
        """The lead, or the clerk who enters what came on paper."""
        return self._accounts.get(case.members[0], self._congress.clerk)

    async def _invite(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._author(case), case, Act("invite"))

    async def _consent(self, case: Suggestion, _round_no: int) -> None:
        """Who has an account signs, and the clerk enters who has signed on paper."""
        cosigners = case.members[1:]
        for code in cosigners:
            if code in self._accounts:
                await self._sign(self._accounts[code], case, Act("consent"))
        if paper := [str(self._members[code]) for code in cosigners if code not in self._accounts]:
            await self._act(self._congress.clerk, case, Act("record_paper", parameters={"members": paper}))

    async def _submit(self, case: Suggestion, _round_no: int) -> None:
        if case.members[0] in self._accounts:
            await self._sign(self._author(case), case, Act("submit"))
        else:
            await self._act(self._author(case), case, Act("submit"))

    async def _register(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._congress.clerk, case, Act("register"))

    async def _review(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._head, case, Act("review", opinion=_REVIEWED))

    async def _return(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._head, case, Act("return", reason=case.reason))

    async def _reject(self, case: Suggestion, _round_no: int) -> None:
        assert case.ground is not None
        code, forwarding = case.ground
        wanted = Act("reject", reason=case.reason, parameters={"code": code, "forwarding": forwarding})
        await self._act(self._congress.leader, case, wanted)

    async def _merge(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._head, case, Act("merge", parameters={"into": str(self._cases[case.merged])}))

    async def _file(self, case: Suggestion, _round_no: int) -> None:
        await self._act(self._congress.leader, case, Act("file", parameters={"checklist": [*rules.CHECKLIST_ITEMS]}))

    # --- the organs -----------------------------------------------------------------------------------------------

    async def _dispatch(self, case: Suggestion, _round_no: int) -> None:
        handlers = [{"organ_id": str(self._organs[organ]), "role": role.value} for organ, role in case.to.items()]
        await self._act(self._office.clerk, case, Act("dispatch", parameters={"handlers": handlers}))

    async def _send_back(self, case: Suggestion, _round_no: int) -> None:
        """An organ thinks that it is another's business."""
        told = case.returned or case.refused
        assert told is not None
        organ, reason, suggested = told[:3]
        wanted = Act("return", reason=reason, parameters={"organ_id": str(self._organs[suggested])})
        await self._on(organ, case, wanted)

    async def _reassign(self, case: Suggestion, _round_no: int) -> None:
        assert case.returned is not None
        organ, _reason, other = case.returned
        wanted = Act("reassign", reason="同意改办。", parameters={"organ_id": str(self._organs[other])})
        await self._on(organ, case, wanted, by=self._office.clerk)

    async def _refuse_return(self, case: Suggestion, _round_no: int) -> None:
        assert case.refused is not None
        organ, _reason, _other, why = case.refused
        await self._on(organ, case, Act("refuse_return", reason=why), by=self._office.clerk)

    async def _accept(self, case: Suggestion, _round_no: int) -> None:
        """Everybody who has not said that it is another's business signs for it."""
        for organ, row in (await self._given(case)).items():
            if row.state == AssignmentState.PENDING and organ not in case.waiting:
                cast = self._desks.cast(organ)
                liaison = (await identity.official_by_code(cast.unit_head)).name
                wanted = Act("accept", parameters={"liaison": liaison, "liaison_phone": "0000-12345678"})
                await self._on(organ, case, wanted)

    async def _mark_key(self, case: Suggestion, _round_no: int) -> None:
        if case.is_key:
            leader = await identity.official_by_code(self._office.leader)
            await self._act(self._office.leader, case, Act("mark_key", parameters={"leader_id": str(leader.id)}))

    async def _suspend(self, case: Suggestion, _round_no: int) -> None:
        if case.suspended:
            await self._act(self._office.reviewer, case, Act("suspend", reason=case.suspended))

    async def _extend(self, case: Suggestion, _round_no: int) -> None:
        if case.extension:
            reason, months = case.extension
            await self._on(case.answering, case, Act("ask_extension", reason=reason, parameters={"months": months}))
            wanted = Act("grant_extension", parameters={"told": _TOLD})
            await self._on(case.answering, case, wanted, by=self._office.clerk)

    async def _opine(self, case: Suggestion, _round_no: int) -> None:
        """Leaders of co-handlers sign what their organs think."""
        given = await self._given(case)
        for organ in case.heard:
            leader, row, wanted = self._desks.cast(organ).leader, given[organ], Act("give_opinion", opinion=_OPINION)
            actor, key = await self._actor(leader), self._desks.key(leader)
            asked = await asking.ask_on_assignment(self._house.office.signing, actor, row.id, wanted, choice(key))
            signed = await self._desks.signed(actor, key, asked.request_id, wanted, row.id)
            await actions.act_on_assignment(actor, row.id, signed)

    async def _speak(self, case: Suggestion, round_no: int) -> None:
        """Everybody who is answered is spoken with, and the points are listed."""
        forms = (ContactForm.MEETING, ContactForm.VISIT, ContactForm.TELEPHONE)
        for number, one in enumerate(await cases.proposers_to_answer(self._cases[case.key])):
            said = {
                "proposer_id": str(one.id),
                "on": clock.today().isoformat(),
                "form": forms[number % len(forms)].value,
                "people": f"{one.member.name}，承办科室负责人",
                "summary": _SPOKEN,
            }
            await self._on(self._lead(case), case, Act("record_contact", parameters=said))
        if case.points and round_no == 1:
            wanted = Act("set_points", parameters={"points": [self._point(*one) for one in case.points]})
            await self._on(self._lead(case), case, wanted)

    def _point(self, text: Any, result: Any, measure: Any, owner: Any, planned: Any = None) -> dict[str, Any]:
        point = {"text": text, "result": result, "measure": measure, "owner": owner}
        if planned is not None:
            point["planned_on"] = (self._today + timedelta(days=planned)).isoformat()
        return point

    async def _answer(self, case: Suggestion, round_no: int) -> None:
        """The organ's sealed letter is put before oversight."""
        organ = self._lead(case)
        proposal = await Proposal.get(id=self._cases[case.key])
        document_id = await self._desks.issue(await self._letter(case, proposal, organ, round_no))
        await self._desks.receive(document_id, city.CONGRESS, "sign_for")
        points = await access.points([(await self._given(case))[organ].id])
        is_open = case.publicity is ReplyPublicity.FULL
        said = {
            "document_id": str(document_id),
            "result": rules.class_of_points(points).value,
            "publicity": case.publicity.value,
            "publicity_ground": "" if is_open else _CLOSED_GROUND,
        }
        await self._on(organ, case, Act("reply", parameters=said))

    async def _letter(self, case: Suggestion, proposal: Proposal, organ: str, round_no: int) -> Paper:
        name = next(one.full_name for one in city.organs() if one.code == organ)
        again = "再次" if round_no > 1 else ""
        lead = (await access.proposers([proposal.id]))[0].member.name
        begin = f"{lead}等代表" if len(case.members) > 1 else f"{lead}代表"
        lines = [f"{begin}提出的“{case.title}”收悉。经认真研究，现将办理情况{again}答复如下。"]
        for number, (text, _result, measure, owner, *_planned) in enumerate(case.points):
            lines += [f"# {_HEADINGS[number]}、关于{text}", f"{measure}此项工作由我单位{owner}负责。"]
        is_open = case.publicity is ReplyPublicity.FULL
        return Paper(
            organ=organ,
            kind=DocKind.LETTER,
            title=f"{name}关于{proposal.case_no}号建议的{again}答复函",
            main=[city.CONGRESS],
            copies=[city.OFFICE],
            publicity=Publicity.ACTIVE if is_open else Publicity.ON_REQUEST,
            until="dispatch",
            text="\n".join([*lines, _GRATITUDE]),
        )

    async def _check(self, case: Suggestion, _round_no: int) -> None:
        wanted = Act("send_back", reason=case.sent_back) if case.sent_back else Act("pass")
        await self._on(self._lead(case), case, wanted, by=self._office.reviewer)

    # --- those who put it forward -----------------------------------------------------------------------------------

    async def _judge(self, case: Suggestion, round_no: int) -> None:
        """Deputies with an account sign what they think; for the others two clerks enter their paper."""
        proposal_id = self._cases[case.key]
        proposers = {row.id: row for row in await cases.proposers_to_answer(proposal_id)}
        clerk, second = await self._actor(self._congress.clerk), await self._actor(self._second_clerk)
        for row in await access.feedback([proposal_id], round_no):
            code = proposers[row.proposer_id].member.code
            said = self._judgement(case.said.get(code) if round_no == 1 else None)
            if code in self._accounts:
                await self._judge_signed(self._accounts[code], proposal_id, said)
            else:
                await judging.enter_paper(clerk, row.id, said)
                await judging.confirm_paper(second, row.id)

    @staticmethod
    def _judgement(said: tuple[str, str] | None) -> dict[str, str]:
        result, text = said or (Satisfaction.SATISFIED.value, "")
        attitude = Satisfaction.MOSTLY if result == Satisfaction.UNSATISFIED else Satisfaction.SATISFIED
        return {"contact": Satisfaction.SATISFIED.value, "attitude": attitude.value, "result": result, "text": text}

    async def _judge_signed(self, code: str, proposal_id: UUID, said: dict[str, str]) -> None:
        actor, key, wanted = await self._actor(code), self._desks.key(code), Act(asking.JUDGE, parameters=said)
        asked = await asking.ask(self._house.office.signing, actor, proposal_id, wanted, choice(key))
        signed = await self._desks.signed(actor, key, asked.request_id, wanted, proposal_id)
        assert signed.signed is not None
        await judging.judge_signed(actor, proposal_id, signed.signed)

    # --- acting -----------------------------------------------------------------------------------------------------

    async def _actor(self, code: str) -> Actor:
        if code not in self._actors:
            self._actors[code] = await actor_named(code)
        return self._actors[code]

    async def _act(self, code: str, case: Suggestion, wanted: Act) -> None:
        await actions.act(await self._actor(code), self._cases[case.key], wanted)

    async def _sign(self, code: str, case: Suggestion, wanted: Act) -> None:
        actor, key, proposal_id = await self._actor(code), self._desks.key(code), self._cases[case.key]
        asked = await asking.ask(self._house.office.signing, actor, proposal_id, wanted, choice(key))
        await actions.act(
            actor, proposal_id, await self._desks.signed(actor, key, asked.request_id, wanted, proposal_id)
        )

    async def _given(self, case: Suggestion) -> dict[str, Assignment]:
        """The assignments of a case that stand, by their organs."""
        codes = {organ_id: code for code, organ_id in self._organs.items()}
        return {codes[row.organ_id]: row for row in await access.standing_assignments(self._cases[case.key])}

    @staticmethod
    def _lead(case: Suggestion) -> str:
        """The organ that answers it now, which may be another than it was given to first."""
        return case.answering if case.returned is None or case.is_undecided else case.returned[2]

    async def _on(self, organ: str, case: Suggestion, wanted: Act, by: str = "") -> None:
        """An act on what an organ was given, by its clerk or somebody else."""
        row = (await self._given(case))[organ]
        await actions.act_on_assignment(await self._actor(by or self._desks.cast(organ).clerk), row.id, wanted)

    _steps: Mapping[str, Callable[[SampleSitting, Suggestion, int], Awaitable[None]]] = {
        "draft": _draft,
        "invite": _invite,
        "consent": _consent,
        "submit": _submit,
        "register": _register,
        "review": _review,
        "return": _return,
        "reject": _reject,
        "merge": _merge,
        "file": _file,
        "dispatch": _dispatch,
        "send_back": _send_back,
        "reassign": _reassign,
        "refuse_return": _refuse_return,
        "accept": _accept,
        "mark_key": _mark_key,
        "suspend": _suspend,
        "extend": _extend,
        "opine": _opine,
        "speak": _speak,
        "answer": _answer,
        "check": _check,
        "judge": _judge,
    }
