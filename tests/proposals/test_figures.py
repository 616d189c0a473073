"""Figures: each number against a count of the tests' own, and the list behind it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pytest

from oa_server.proposals import figures
from oa_server.proposals.figures import AssignmentFact, CaseFact, ClockFact, Facts, JudgementFact, ReplyFact
from tests.city import told
from tests.proposals.assembly import Assembly
from tests.proposals.test_answering import BAD, GOOD, in_hand, prepared, replies

FINANCE, EDUCATION = uuid4(), uuid4()


def case(state: str, *, category: str = "城建", delegation: str = "城东", round_no: int = 1) -> CaseFact:
    return CaseFact(uuid4(), state, "suggestion", category, delegation, round_no, is_key=False)


def given(of: CaseFact, organ: UUID, state: str, *, role: str = "lead", before: bool = False) -> AssignmentFact:
    return AssignmentFact(uuid4(), of.id, organ, role, state, before, 0)


def counted(facts: Facts, code: str, part: set[UUID] | None = None) -> tuple[int, int | None]:
    value = next(one for one in figures.values(facts, part) if one.figure.code == code)
    return value.counted, value.out_of


def test_shares_print_what_they_are_of() -> None:
    """Two of three were answered, one of those in time; the organ that returned its case was wrong the first time."""
    done, late, open_, rejected = case("closed"), case("rehandling", round_no=2), case("handling"), case("rejected")
    a, b = given(done, FINANCE, "done"), given(late, FINANCE, "handling")
    returned, c = given(open_, EDUCATION, "superseded"), given(open_, FINANCE, "handling", before=True)
    facts = Facts(
        cases=[done, late, open_, rejected],
        assignments=[a, b, returned, c],
        clocks=[
            ClockFact(a.id, date(2026, 1, 5), date(2026, 4, 7), date(2026, 3, 2)),
            ClockFact(b.id, date(2026, 1, 5), date(2026, 4, 7), date(2026, 4, 8)),
            ClockFact(c.id, date(2026, 1, 9), date(2026, 4, 9), None),
        ],
        replies=[ReplyFact(a.id, "A", "full"), ReplyFact(b.id, "B", "closed")],
    )
    assert counted(facts, "replied") == (2, 3)
    assert counted(facts, "on_time") == (1, 2)
    assert counted(facts, "solved") == (1, 2)
    assert counted(facts, "published") == (1, 2)
    assert counted(facts, "first_time") == (2, 3)
    assert counted(facts, "returned") == (1, 4)
    assert counted(facts, "again") == (1, 2)
    assert counted(facts, "filed") == (3, 4)
    assert figures.members(facts, "on_time", counted=True) == {done.id}
    assert figures.members(facts, "on_time", counted=False) == {done.id, late.id}
    parts = figures.parts(facts, "organ")
    assert counted(facts, "on_time", parts[str(FINANCE)]) == (1, 2)
    assert counted(facts, "returned", parts[str(EDUCATION)]) == (1, 1)
    assert counted(facts, "replied", parts[str(FINANCE)]) == (2, 3)
    assert figures.mean_of(figures.working_days(facts, lambda first, last: (last - first).days)) == (56 + 93) / 2


def test_only_the_newest_round_is_judged() -> None:
    """Who was not satisfied and is now counts as satisfied; who has not judged yet counts as asked."""
    one = case("closed", round_no=2)
    lead = JudgementFact(uuid4(), one.id, 2, "signed", "satisfied", "satisfied", "satisfied")
    facts = Facts(
        cases=[one],
        judgements=[
            JudgementFact(uuid4(), one.id, 1, "signed", "satisfied", "mostly", "unsatisfied"),
            lead,
            JudgementFact(uuid4(), one.id, 2, "expired", None, None, None),
        ],
    )
    assert counted(facts, "judged") == (1, 2)
    assert counted(facts, "result_satisfied") == (1, 1)
    assert counted(facts, "result_unsatisfied") == (0, 1)
    assert counted(facts, "cases_satisfied") == (1, 1)


async def test_behind_every_number_stand_its_cases(assembly: Assembly) -> None:
    """The figures of a sitting after one case that was answered twice; each opens the list that it counted."""
    path, given_ = await in_hand(assembly)
    await prepared(assembly, path, given_)
    await assembly.done("jiang", "give_opinion", given_["JC003"], opinion="同意")
    await replies(assembly, given_)
    await assembly.done("zhao", "pass", given_["JC002"])
    await assembly.done("dai", "judge", path, parameters=BAD)
    await assembly.done("qiu", "judge", path, parameters=GOOD)
    await assembly.filed(title="关于另一件事的建议")
    sun = await assembly.desk("sun")
    place = f"/api/sittings/{assembly.sitting}/figures"
    shown = (await sun.get(place)).json()
    found = {one["code"]: (one["counted"], one["out_of"]) for one in shown["figures"]}
    assert found["given_out"] == (1, 2)
    assert found["on_time"] == (1, 1)
    assert found["result_unsatisfied"] == (1, 2)
    assert found["again"] == (1, 1)
    finance = next(one for one in shown["parts"] if one["name"] == "市财政局")
    part = {one["code"]: (one["counted"], one["out_of"]) for one in finance["figures"]}
    assert part["solved"] == (1, 1)

    async def behind(**query: Any) -> list[str]:
        wanted = {"sitting_id": assembly.sitting, **query}
        return [one["id"] for one in (await sun.get("/api/proposals", params=wanted)).json()["items"]]

    own = path.rpartition("/")[2]
    assert await behind(figure="given_out") == [own]
    assert len(await behind(figure="given_out", counted=False)) == 2
    assert await behind(figure="solved", by="organ", part=finance["key"]) == [own]
    assert told(await sun.get("/api/proposals", params={"figure": "nothing", "sitting_id": assembly.sitting})) == (
        422,
        "proposals.no_such_figure",
    )
    compared = (await sun.get("/api/sittings/compared")).json()["items"]
    assert compared[0]["results"] == {"A": 1}


@pytest.mark.parametrize("by", ["category", "delegation"])
async def test_parts_of_a_sitting(assembly: Assembly, by: str) -> None:
    """Figures are told by category and by delegation as well."""
    await assembly.filed(category="城乡建设")
    ma = await assembly.desk("ma")
    shown = (await ma.get(f"/api/sittings/{assembly.sitting}/figures", params={"by": by})).json()
    assert [one["name"] for one in shown["parts"]] == ["城乡建设" if by == "category" else "城东代表团"]


async def test_figures_leave_as_a_workbook(assembly: Assembly, tmp_path: Any) -> None:
    """The workbook has the whole and its parts, with numerator and denominator beside each share."""
    await assembly.filed(category="城乡建设")
    ma = await assembly.desk("ma")
    answer = await ma.get(f"/api/sittings/{assembly.sitting}/figures.xlsx")
    (tmp_path / "figures.xlsx").write_bytes(answer.content)
    book = openpyxl.load_workbook(tmp_path / "figures.xlsx")
    assert book.sheetnames == ["总表", "按单位", "按内容分类", "按代表团、界别"]
    rows = {row[0]: row[1:4] for row in book["总表"].iter_rows(min_row=2, values_only=True)}
    assert rows["立案率"] == ("100.0%", "1", "1")
    assert rows["交办率"] == ("0.0%", "0", "1")


async def test_figures_are_of_what_one_may_see(assembly: Assembly) -> None:
    """An organ that has been given nothing is told of no case."""
    await assembly.filed()
    shown = (await (await assembly.desk("bai")).get(f"/api/sittings/{assembly.sitting}/figures")).json()
    assert {one["counted"] for one in shown["figures"]} == {0}
