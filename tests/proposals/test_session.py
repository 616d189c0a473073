"""A whole session: brought in from a sheet, given out, answered, judged, and told in a report whose every number is counted anew.

What becomes of each case is decided before anything is done; the report is held against that, never against the server's figures.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pdfplumber
import pytest

from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.signing.actions import register_seal
from tests.city import BODY, PIN, _opened, seal_image, told
from tests.conftest import Founded
from tests.faults.house import faults
from tests.proposals.assembly import Assembly, Sittings
from tests.proposals.generate import Case, archive, cases
from tests.proposals.test_importing import Desk

ORGANS = """机关代码,机关全称,机关简称,级别,上级机关代码,机关代字,发文机关标志
JC003,江城市教育局,市教育局,部门,JC001,江教发,江城市教育局文件
JC011,江城市交通运输局,市交通局,部门,JC001,江交发,江城市交通运输局文件
"""
OFFICIALS = """机关代码,部门,人员编号,姓名,职务,主要负责人,职责
JC003,办公室,meng,孟凡,机要员,,机要文书;印章管理员
JC003,办公室,ren,任远,科长,,核稿;部门负责人
JC011,办公室,tan,谭静,机要员,,机要文书;印章管理员
JC011,办公室,pan,潘虹,科长,,核稿;部门负责人
"""
NAMES = {"JC002": "市财政局", "JC003": "市教育局", "JC011": "市交通局"}
MEASURES = {"A": "已经办结", "B": "列入明年计划", "C": "待条件具备时研究", "D": "留作参考"}


@dataclass(frozen=True)
class Staff:
    """Who does what in an organ that answers."""

    drafts: str
    reviews: str
    signs: str
    numbers: str


STAFF = {
    "JC002": Staff("yu", "hua", "wu", "zhou"),
    "JC003": Staff("feng", "ren", "jiang", "meng"),
    "JC011": Staff("bai", "pan", "shi", "tan"),
}


@dataclass
class Fate:
    """What becomes of one case."""

    case: Case
    filed: bool
    organ: str = ""  # who answers
    returned_by: str = ""  # who had it first
    cohandlers: tuple[str, ...] = ()
    result: str = "A"
    publicity: str = "full"
    extended: bool = False
    improved: bool = False  # what was promised (B) is done by the end
    judgements: list[list[str]] = field(
        default_factory=list
    )  # by round, what each proposer says; empty for who says nothing
    path: str = ""

    @property
    def last(self) -> list[str]:
        return [one for one in self.judgements[-1] if one]

    @property
    def is_concluded(self) -> bool:
        return len(self.last) == len(self.judgements[-1])


def fates(made: Collection[Case], seed: int) -> list[Fate]:
    """Decide what becomes of every case."""
    chance = random.Random(seed)
    return [_fate(case, chance) for case in made]


def _fate(case: Case, chance: random.Random) -> Fate:
    case.values |= {"lead_organ": "", "cohandlers": "", "dispatched_on": "", "filed": "是", "rejection": ""}
    if chance.random() < 0.08:
        case.values |= {"filed": "否", "rejection": "内容空泛、没有具体意见建议"}
        return Fate(case, filed=False)
    organ, *others = chance.sample(list(NAMES), len(NAMES))
    result = chance.choice("AAAABBBCD")
    proposers = 1 + len([one for one in case.values["cosigners"].split("；") if one])
    good = [chance.choice(("satisfied", "satisfied", "satisfied", "mostly")) for _ in range(proposers)]
    rounds = [["unsatisfied"] * proposers, good] if chance.random() < 0.06 else [good]
    if len(rounds) == 1 and chance.random() < 0.05:
        rounds[-1][0] = ""
    return Fate(
        case,
        filed=True,
        organ=organ,
        returned_by=others[0] if chance.random() < 0.1 else "",
        cohandlers=(others[1],) if chance.random() < 0.3 else (),
        result=result,
        publicity=chance.choice(("full", "full", "full", "closed")),
        extended=chance.random() < 0.05,
        improved=result == "B" and chance.random() < 0.3,
        judgements=rounds,
    )


async def staffed(assembly: Assembly) -> None:
    """Give two more organs what they need to send sealed letters."""
    await import_directory(SYSTEM, "机关.csv", ORGANS.encode())
    await import_directory(SYSTEM, "人员.csv", OFFICIALS.encode())
    city = assembly.city
    enrolment = Enrolment(
        city.app.state.house.register, city.folder, await actor_named("sys"), await actor_named("sec")
    )
    for line in OFFICIALS.splitlines()[1:]:
        code = line.split(",")[2]
        await enrolment.official((await identity.official_by_code(code)).id, code, PIN)
    for code in ("JC003", "JC011"):
        organ = UUID(assembly.organs[code])
        _, serial = await enrolment.seal(organ, code, PIN)
        await register_seal(
            SYSTEM, organ, name=NAMES[code], image=seal_image(), diameter_mm=45, certificate_serial=serial
        )
        keeper = await assembly.desk(STAFF[code].numbers)
        keeper.keys["seal"] = _opened((city.folder / f"{code}.seal.oakey").read_bytes(), PIN)


@dataclass
class Session:
    """The work of everybody in a session, through the API."""

    assembly: Assembly

    async def brings_in(self, decided: list[Fate]) -> None:
        """The secretariat brings in the sheet; what it files it has reviewed on paper."""
        desk = Desk(self.assembly)
        outcome = await desk.brings(archive([one.case for one in decided]), "建议.zip")
        assert outcome["added"] == len(decided)
        lin, found = await self.assembly.desk("lin"), {}
        after: dict[str, str] = {}
        while True:
            query = {"sitting_id": self.assembly.sitting, "limit": 200, **after}
            page = (await lin.get("/api/proposals", params=query)).json()
            found |= {one["title"]: one["id"] for one in page["items"]}
            if not page["next"]:
                break
            after = {"cursor": page["next"]}
        for fate in decided:
            fate.path = f"/api/proposals/{found[fate.case.title]}"

    async def gives_out(self, given: list[Fate]) -> None:
        """The dispatching organ gives out a hundred at a time."""
        sun = await self.assembly.desk("sun")
        for start in range(0, len(given), 100):
            body = [
                {"proposal_id": one.path.rpartition("/")[2], "handlers": self._handlers(one)}
                for one in given[start : start + 100]
            ]
            done = await sun.send("POST", "/api/proposals/dispatch", json={"cases": body})
            assert done.status_code == 200, done.text

    def _handlers(self, fate: Fate) -> list[dict[str, str]]:
        organs = self.assembly.organs
        lead = {"organ_id": organs[fate.returned_by or fate.organ], "role": "lead"}
        return [lead, *({"organ_id": organs[code], "role": "cohandler"} for code in fate.cohandlers)]

    async def goes_through(self, fate: Fate) -> None:
        """One case from the organ's receipt to the end."""
        given = await self._signed_for(fate)
        for number, said in enumerate(fate.judgements):
            await self._answered(fate, given, number)
            await self._judged(fate, said)
        if fate.improved and fate.is_concluded:
            case = await self.assembly.shown(STAFF[fate.organ].numbers, fate.path)
            point = next(one for part in case["assignments"] for one in part["points"])
            looked = {"point_id": point["id"], "result": "A"}
            clerk = STAFF[fate.organ].numbers
            await self.assembly.done(clerk, "review_point", given[fate.organ], parameters=looked, reason="已建成")

    async def _signed_for(self, fate: Fate) -> dict[str, str]:
        done = self.assembly.done
        given = self.assembly.assignments(await self.assembly.shown("sun", fate.path))
        if fate.returned_by:
            wanted = {"organ_id": self.assembly.organs[fate.organ]}
            at, clerk = given[fate.returned_by], STAFF[fate.returned_by].numbers
            await done(clerk, "return", at, reason="不属我局职责", parameters=wanted)
            given = self.assembly.assignments(await done("sun", "reassign", at, parameters=wanted, reason="同意"))
        for code, path in given.items():
            await done(STAFF[code].numbers, "accept", path)
        for code in fate.cohandlers:
            await done(STAFF[code].signs, "give_opinion", given[code], opinion="同意，积极配合。")
        if fate.extended:
            lead, months = given[fate.organ], {"months": 1}
            await done(STAFF[fate.organ].numbers, "ask_extension", lead, parameters=months, reason="涉及规划调整")
            await done("sun", "grant_extension", lead, parameters={"told": "已电话告知领衔代表"})
        return given

    async def _answered(self, fate: Fate, given: dict[str, str], number: int) -> None:
        """The organ speaks with everybody, says what becomes of every point, and its sealed letter is passed."""
        clerk, lead, done = STAFF[fate.organ].numbers, given[fate.organ], self.assembly.done
        for one in (await self.assembly.shown(clerk, fate.path))["proposers"]:
            said = {"proposer_id": one["id"], "on": str(clock.today()), "form": "telephone", "people": "承办科室"}
            await done(clerk, "record_contact", lead, parameters={**said, "summary": "已说明办理意见"})
        if number == 0:
            points = [self._point(fate, text) for text in fate.case.request.splitlines()]
            await done(clerk, "set_points", lead, parameters={"points": points})
        said = {"document_id": await self._sealed_letter(fate, number), "result": fate.result}
        ground = {"publicity_ground": "涉及尚未公开的规划"} if fate.publicity == "closed" else {}
        await done(clerk, "reply", lead, parameters={**said, "publicity": fate.publicity, **ground})
        await done("zhao", "pass", lead)

    def _point(self, fate: Fate, text: str) -> dict[str, str]:
        day = {"planned_on": "2027-12-31"} if fate.result == "B" else {}
        return {"text": text, "result": fate.result, "measure": MEASURES[fate.result], "owner": "承办科室", **day}

    async def _sealed_letter(self, fate: Fate, number: int) -> str:
        staff, city = STAFF[fate.organ], self.assembly.city
        again = "再次" if number else ""
        elements = city.elements(
            kind="letter",
            title=f"对“{fate.case.title}”的{again}答复函",
            main_recipients=[self.assembly.organs["JC010"]],
            copies_to=[],
            signer_id=str((await identity.official_by_code(staff.signs)).id),
        )
        drafter = await self.assembly.desk(staff.drafts)
        drafted = await drafter.send("POST", "/api/documents", json={"elements": elements, "body": BODY})
        assert drafted.status_code == 201, drafted.text
        path = f"/api/documents/{drafted.json()['id']}"
        acts = [(staff.drafts, "submit"), *([(staff.reviews, "approve")] * 2), (staff.signs, "sign")]
        for person, verb in (*acts, (staff.numbers, "number"), (staff.numbers, "seal")):
            desk = await self.assembly.desk(person)
            opinion = {"opinion": "同意"} if verb in {"approve", "sign"} else {}
            if verb in {"submit", "number"}:
                answer = await desk.act(path, verb)
            else:
                answer = await desk.sign(path, verb, usage="seal" if verb == "seal" else "signing", **opinion)
            assert answer.status_code == 200, answer.text
        return str(drafted.json()["id"])

    async def _judged(self, fate: Fate, said: list[str]) -> None:
        """The secretariat hands every proposer a code, and who has something to say judges with it."""
        lin = await self.assembly.desk("lin")
        anybody = self.assembly.city.browser("dai").http
        asked = [
            one for one in (await self.assembly.shown("lin", fate.path))["feedback"] if one["state"] == "requested"
        ]
        assert len(asked) == len(said)
        for one, word in zip(asked, said, strict=True):
            if word:
                code = (await lin.send("POST", f"/api/feedback/{one['id']}/code")).json()["code"]
                attitude = "mostly" if word == "unsatisfied" else word
                judgement = {"contact": "satisfied", "attitude": attitude, "result": word, "text": "未见实效。"}
                answer = await anybody.post("/api/judgements", json={"code": code, "judgement": judgement})
                assert answer.status_code == 204, answer.text


# --- counted again ------------------------------------------------------------------------------------------------------


def share(counted: int, out_of: int) -> str:
    return f"{counted / out_of:.1%}" if out_of else "—"


def of_whole(counted: int, out_of: int) -> str:
    return f"{share(counted, out_of)}（{counted}/{out_of}）"


def sentences(decided: list[Fate]) -> list[str]:
    """What the report must say of these cases, counted here."""
    given = [one for one in decided if one.filed]
    count = len(given)
    closed = sum(one.is_concluded for one in given)
    moved, late = sum(bool(one.returned_by) for one in given), sum(one.extended for one in given)
    helpers = sum(len(one.cohandlers) for one in given)
    again = sum(len(one.judgements) > 1 for one in given)
    asked = sum(len(one.judgements[-1]) for one in given)
    judged = sum(len(one.last) for one in given)
    answered_by_somebody = [one for one in given if one.last]
    content = sum("unsatisfied" not in one.last for one in answered_by_somebody)
    points = sum(len(one.case.request.splitlines()) for one in given if one.result == "B")
    improved = sum(one.improved and one.is_concluded for one in given)
    tracked = [one for one in given if one.result == "B" and one.is_concluded]
    left = sum(not one.improved or len(one.case.request.splitlines()) > 1 for one in tracked)
    published = sum(one.publicity == "full" for one in given)
    firsts = count + helpers
    return [
        f"共收到{len(decided)}件。",
        f"立案{count}件，立案率{of_whole(count, len(decided))}；不予立案{len(decided) - count}件，并案0件。",
        f"已向{len({code for one in given for code in (one.organ, *one.cohandlers)})}个单位交办{count}件，交办率100.0%",
        f"主办{count}件次、协办{helpers}件次" if helpers else f"主办{count}件次",
        f"一次交办准确率{of_whole(firsts - moved, firsts)}，退办率{of_whole(moved, firsts + moved)}。",
        f"已答复{count}件，答复率100.0%；评价结束{closed}件，办结率{share(closed, count)}。",
        f"按期答复率{of_whole(count, count)}",
        f"延期率{of_whole(late, count)}，二次办理率{of_whole(again, count)}。",
        f"尚未答复0件，已答复待评价{count - closed}件，重新办理0件，跟踪落实{left}件。",
        f"面商率{of_whole(count, count)}，答复公开率{of_whole(published, count)}。",
        f"曾列为B类的建议点{points}条，已转为A类{improved}条。",
        f"征求评价{asked}人次，已评价{judged}人次，评价率{share(judged, asked)}；",
        f"占有评价件数的{of_whole(content, len(answered_by_somebody))}。",
    ]


def classes(decided: list[Fate]) -> list[list[str]]:
    given = Counter(one.result for one in decided if one.filed)
    return [[f"{letter}类", str(given[letter]), share(given[letter], given.total())] for letter in "ABCD"]


def judgements(decided: list[Fate]) -> list[list[str]]:
    said = Counter(word for one in decided if one.filed for word in one.last)
    words = ("satisfied", "mostly", "unsatisfied")
    return [[f"{said[word]}（{share(said[word], said.total())}）" for word in words]]


def by_part(decided: list[Fate], key: Callable[[Fate], str]) -> dict[str, list[str]]:
    """The row of each part: given out, answered, in time, spoken with, by class, satisfied."""
    rows = {}
    for name in {key(one) for one in decided if one.filed}:
        own = [one for one in decided if one.filed and key(one) == name]
        results = Counter(one.result for one in own)
        said = Counter(word for one in own for word in one.last)
        counts = [str(len(own)), str(len(own)), "100.0%", "100.0%", *(str(results[letter]) for letter in "ABCD")]
        rows[name] = [*counts, share(said["satisfied"], said.total())]
    return rows


def table_of(content: Iterable[dict[str, Any]], title: str) -> list[list[str]]:
    """The rows, without their head, of the table whose first cell is this."""
    return next(one["rows"][1:] for one in content if one["type"] == "table" and one["rows"][0][0] == title)


def check_report(content: list[dict[str, Any]], decided: list[Fate]) -> None:
    """Every number of the report is what was decided."""
    text = "\n".join(one["text"] for one in content if one["type"] == "paragraph")
    for sentence in sentences(decided):
        assert sentence in text, (sentence, text)
    assert [[row[0], *row[2:]] for row in table_of(content, "类别")] == classes(decided)
    assert [row[1:] for row in table_of(content, "评价内容")][-1:] == judgements(decided)
    keys: dict[str, Callable[[Fate], str]] = {
        "单位": lambda one: NAMES[one.organ],
        "内容分类": lambda one: str(one.case.values["category"]),
        "代表团、界别": lambda one: str(one.case.values["delegation"]),
    }
    for title, key in keys.items():
        assert {row[0]: row[1:] for row in table_of(content, title)} == by_part(decided, key)


async def held(assembly: Assembly, count: int) -> None:
    """Hold a session of so many cases and judge its report."""
    await staffed(assembly)
    decided = fates(cases(15, count, organs=list(NAMES.values())), seed=4)
    session = Session(assembly)
    await session.brings_in(decided)
    given = [one for one in decided if one.filed]
    await session.gives_out(given)
    for fate in given:
        await session.goes_through(fate)
    lin = await assembly.desk("lin")
    begun = await lin.send("POST", f"/api/sittings/{assembly.sitting}/report")
    assert begun.status_code == 201, begun.text
    document = (await lin.get(f"/api/documents/{begun.json()['document_id']}")).json()
    check_report(document["body"]["content"], decided)
    pages = await lin.get(f"/api/sittings/{assembly.sitting}/report.pdf")
    with pdfplumber.open(io.BytesIO(pages.content)) as pdf:
        shown = "".join(page.extract_text() for page in pdf.pages).replace("\n", "")
    assert sentences(decided)[1] in shown
    bai = await assembly.desk("bai")
    assert told(await bai.get(f"/api/sittings/{assembly.sitting}/report.pdf")) == (403, "proposals.not_reporter")
    assert await faults(assembly.city.app.state.house) == []


@pytest.mark.timeout(300)
async def test_a_session_to_its_report(assembly: Assembly) -> None:
    """From the sheet to the report, every number of which is what was done."""
    await held(assembly, 12)


@pytest.mark.campaign
@pytest.mark.timeout(6 * 3600)
async def test_a_whole_session(sittings: Sittings, founded_embedded: Founded, tmp_path: Any) -> None:
    """The same of a real session of a city: 1,612 cases."""
    async with sittings.begun(founded_embedded, tmp_path / "var") as assembly:
        await held(assembly, 1612)
