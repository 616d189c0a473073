"""办理情况报告: what is told of a sitting when its cases are done, each share with what it is of.

It is laid out as the document it will be, and can be begun as one: from there on it is reviewed, signed and sealed like all
others. It says nothing that the figures do not say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.documents import drafting, pages
from oa_server.documents.layout.model import Block, DocumentLayout, Heading, Paragraph, Table, block_json
from oa_server.documents.layout.render import RenderedPages
from oa_server.documents.office import Office
from oa_server.documents.schemas import Body, Elements
from oa_server.documents.states import DocKind
from oa_server.identity import access as identity
from oa_server.proposals import access, rules
from oa_server.proposals.answers import PARTS, figures_by
from oa_server.proposals.figures import Facts, share
from oa_server.proposals.models import Sitting
from oa_server.proposals.schemas import FigureOut, FiguresOut, PartOut
from oa_server.proposals.states import (
    Assembly,
    AssignmentRole,
    AssignmentState,
    ProposalKind,
    ProposalState,
    Satisfaction,
)

# What an assembly calls what is put forward, and who puts it forward.
MATTER = {Assembly.CONGRESS: "代表议案、建议、批评和意见", Assembly.CONSULTATIVE: "提案"}
PEOPLE = {Assembly.CONGRESS: "代表", Assembly.CONSULTATIVE: "委员"}
CLASSES = (
    ("A类", "solved", "已经解决或者基本解决"),
    ("B类", "planned", "正在解决或者列入计划"),
    ("C类", "not_yet", "因条件限制暂不能解决"),
    ("D类", "for_reference", "留作参考"),
)
AXES = (("沟通情况", "contact"), ("办理态度", "attitude"), ("办理结果", "result"))


@dataclass(frozen=True, slots=True)
class Told:
    """The figures of a whole sitting or of one of its parts, as words."""

    figures: Mapping[str, FigureOut]

    @classmethod
    def of(cls, shown: FiguresOut | PartOut) -> Told:
        return cls({one.code: one for one in shown.figures})

    def count(self, code: str) -> str:
        return str(self.figures[code].counted)

    def share(self, code: str) -> str:
        """96.5%, or a dash where there is nothing to take a share of."""
        one = self.figures[code]
        return share(one.counted, one.out_of or 0)

    def of_whole(self, code: str) -> str:
        """96.5%（1556/1612）."""
        one = self.figures[code]
        return f"{self.share(code)}（{one.counted}/{one.out_of}）"


@dataclass(frozen=True, slots=True)
class Report:
    """The report of one sitting by one organ: its title and its text."""

    title: str
    body: tuple[Block, ...]


async def compose(actor: Actor, sitting: Sitting) -> Report:
    """Tell what became of a sitting, as of today. Raises Denied for who does not see to the sitting."""
    rules.report_ability(actor, sitting).check()
    facts = await access.facts(actor, sitting.id)
    shown = {by: await figures_by(facts, sitting, by) for by in PARTS}
    whole = shown["organ"]
    told, matter, people = Told.of(whole), MATTER[Assembly(sitting.body)], PEOPLE[Assembly(sitting.body)]
    body: list[Block] = [
        Paragraph(f"现将{sitting.title}{matter}办理情况报告如下。数据截至{_day(clock.today())}。"),
        Heading(1, "一、总体情况"),
        *([Paragraph(_entered(told, facts))] if actor.organ_id == sitting.secretariat_id else []),
        Paragraph(_given_out(told, facts)),
        Heading(1, "二、办理进度"),
        Paragraph(_progress(told, whole.mean_days)),
        Paragraph(_open(facts)),
        Heading(1, "三、办理结果"),
        Paragraph(_results(told)),
        _table(("类别", "含义", "件次", "比例"), [(n, of, told.count(c), told.share(c)) for n, c, of in CLASSES]),
        Heading(1, f"四、{people}评价"),
        Paragraph(_judged(told, people)),
        _satisfaction(facts),
    ]
    filled = [(by, rows) for by in PARTS if (rows := [_part_row(one) for one in shown[by].parts if _is_given_out(one)])]
    for number, (by, rows) in zip("一二三", filled, strict=False):
        columns = (PARTS[by], *(name for name, _code, _shown in COLUMNS))
        body += [Heading(1, f"附表{number}　按{PARTS[by]}统计"), _table(columns, rows)]
    return Report(f"关于{sitting.title}{matter}办理情况的报告", tuple(body))


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _entered(told: Told, facts: Facts) -> str:
    kinds = Counter(one.kind for one in facts.cases if one.id in facts.sets["entered"][0])
    listed = "、".join(f"{ProposalKind(kind).title_zh}{count}件" for kind, count in sorted(kinds.items()))
    return (
        f"共收到{told.count('entered')}件{f'，其中{listed}' if len(kinds) > 1 else ''}。"
        f"立案{told.count('filed')}件，立案率{told.of_whole('filed')}；"
        f"不予立案{told.count('rejected')}件，并案{told.count('merged')}件。"
    )


def _given_out(told: Told, facts: Facts) -> str:
    standing = [one for one in facts.assignments if one.state != AssignmentState.SUPERSEDED]
    roles = Counter(AssignmentRole(one.role) for one in standing)
    listed = "、".join(f"{role.title_zh}{roles[role]}件次" for role in AssignmentRole if roles[role])
    key = f"确定重点件{told.count('key')}件。" if told.figures["key"].counted else ""
    return (
        f"立案的{told.figures['given_out'].out_of}件中，已向{len({one.organ_id for one in standing})}个单位交办"
        f"{told.count('given_out')}件，交办率{told.share('given_out')}{f'，其中{listed}' if listed else ''}。"
        f"一次交办准确率{told.of_whole('first_time')}，退办率{told.of_whole('returned')}。{key}"
    )


def _progress(told: Told, mean_days: float | None) -> str:
    mean = f"，平均办理{mean_days:.1f}个工作日" if mean_days is not None else ""
    return (
        f"已交办的{told.count('given_out')}件中，已答复{told.count('replied')}件，答复率{told.share('replied')}；"
        f"评价结束{told.count('closed')}件，办结率{told.share('closed')}。"
        f"按期答复率{told.of_whole('on_time')}{mean}；延期率{told.of_whole('extended')}，"
        f"二次办理率{told.of_whole('again')}。"
    )


def _open(facts: Facts) -> str:
    states = Counter(ProposalState(one.state) for one in facts.cases)
    waiting = states[ProposalState.DISPATCHED] + states[ProposalState.HANDLING]
    return (
        f"尚未答复{waiting}件，已答复待评价{states[ProposalState.REPLIED]}件，"
        f"重新办理{states[ProposalState.REHANDLING]}件，跟踪落实{states[ProposalState.TRACKING]}件。"
    )


def _results(told: Told) -> str:
    return (
        f"面商率{told.of_whole('spoken_with')}，答复公开率{told.of_whole('published')}。"
        f"曾列为B类的建议点{told.figures['improved'].out_of}条，已转为A类{told.count('improved')}条。"
        "答复的办理结果类别如下："
    )


def _judged(told: Told, people: str) -> str:
    return (
        f"向{people}征求评价{told.figures['judged'].out_of}人次，已评价{told.count('judged')}人次，"
        f"评价率{told.share('judged')}；没有{people}对结果不满意的件数占有评价件数的{told.of_whole('cases_satisfied')}。"
        "评价情况如下："
    )


def _satisfaction(facts: Facts) -> Table:
    said = {axis: Counter(getattr(one, axis) for one in facts.last_judgements) for _name, axis in AXES}
    rows = [
        (name, *(f"{said[axis][word]}（{share(said[axis][word], said[axis].total())}）" for word in Satisfaction))
        for name, axis in AXES
    ]
    return _table(("评价内容", *(word.title_zh for word in Satisfaction)), rows)


COLUMNS: tuple[tuple[str, str, Callable[[Told, str], str]], ...] = (
    ("交办", "given_out", Told.count),
    ("答复", "replied", Told.count),
    ("按期率", "on_time", Told.share),
    ("面商率", "spoken_with", Told.share),
    *((name, code, Told.count) for name, code, _meaning in CLASSES),
    ("满意率", "result_satisfied", Told.share),
)


def _is_given_out(part: PartOut) -> bool:
    """Whether an organ, a category or a delegation has any case that was given out to be answered."""
    return Told.of(part).figures["given_out"].counted > 0


def _part_row(part: PartOut) -> tuple[str, ...]:
    told = Told.of(part)
    return (part.name, *(shown(told, code) for _name, code, shown in COLUMNS))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table((tuple(header), *map(tuple, rows)), header=True)


# --- as pages, and as a document ------------------------------------------------------------------------------------------


async def lay_out(office: Office, actor: Actor, sitting: Sitting) -> RenderedPages:
    """The pages of the report as the actor's organ would send it for review. Raises Denied."""
    report = await compose(actor, sitting)
    assert actor.organ_id is not None  # who sees to a sitting is of one of its organs
    own, reader = await identity.organ(actor.organ_id), await identity.organ(sitting.secretariat_id)
    layout = DocumentLayout(
        issuer_mark=own.issuer_mark or own.full_name,
        title=report.title,
        main_recipients=(reader.full_name,) if reader.id != own.id else (),
        body=report.body,
        issuer_signature=own.full_name,
        number_word=own.issuing_word,
    )
    return await pages.lay_out(office, layout, clock.now())


async def begin(office: Office, actor: Actor, sitting: Sitting) -> UUID:
    """Begin the report as a document of the actor's, to be worked on and signed like any other. Raises Denied."""
    report = await compose(actor, sitting)
    to = [sitting.secretariat_id] if sitting.secretariat_id != actor.organ_id else []
    content: Any = [block_json(block) for block in report.body]
    body = msgspec.convert({"type": "doc", "content": content}, Body)
    elements = Elements(DocKind.REPORT, report.title, main_recipients=to)
    begun: UUID = (await drafting.draft(office, actor, elements, body)).id
    return begun
