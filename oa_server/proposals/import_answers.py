"""What importing shows, in the words of the wire and as a workbook with its cells marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from oa_server.identity import access as identity
from oa_server.proposals.matching import Outcome, Plan, Planned
from oa_server.proposals.models import ImportBatch, UnitAlias
from oa_server.proposals.schemas import (
    ImportBatchOut,
    ImportChangeOut,
    ImportColumnOut,
    ImportProblemOut,
    ImportRemarkOut,
    ImportReport,
    ImportRowOut,
    UnitAliasOut,
    UnknownUnitOut,
)
from oa_server.web.shapes import Named
from oa_server.web.sheets import MarkedSheet

ROWS_SHOWN = 2000
PROBLEMS_SHOWN = 1000
REMARKS_SHOWN = 500
MEMBERS_SHOWN = 500
_FIRST = (Outcome.REFUSED, Outcome.KEPT, Outcome.CHANGED, Outcome.NEW, Outcome.UNCHANGED)


def report_out(plan: Plan) -> ImportReport:
    """A plan as it is shown: of very many rows first those that somebody has to look at."""
    loaded = plan.loaded
    chosen = sorted(plan.rows, key=lambda one: _FIRST.index(one.outcome))[:ROWS_SHOWN]
    return ImportReport(
        digest=plan.digest,
        is_whole=plan.is_whole,
        counts={outcome.value: count for outcome, count in plan.counts.items()},
        columns=[ImportColumnOut(one.column, one.title, one.means, one.outcome) for one in loaded.columns],
        rows=[_row_out(one) for one in sorted(chosen, key=lambda one: one.row.row)],
        rows_left_off=len(plan.rows) - len(chosen),
        problems=[
            ImportProblemOut(one.sheet, one.row, one.column, one.code, one.message)
            for one in loaded.problems[:PROBLEMS_SHOWN]
        ],
        problems_found=len(loaded.problems),
        remarks=[ImportRemarkOut(one.row, one.words) for one in loaded.remarks[:REMARKS_SHOWN]],
        unknown_units=[
            UnknownUnitOut(one.name, one.rows, [Named(unit.organ_id, unit.name) for unit in one.suggestions])
            for one in plan.unknown_units
        ],
        new_members=[f"{member.name}（{member.code}）" for member in plan.to_enter[:MEMBERS_SHOWN]],
    )


def _row_out(one: Planned) -> ImportRowOut:
    return ImportRowOut(
        row=one.row.row,
        outcome=one.outcome.value,
        outcome_title=one.outcome.title_zh,
        number=one.row.number,
        title=one.row.title,
        lead=one.row.lead.name,
        state_title=one.state.title_zh if one.outcome in {Outcome.NEW, Outcome.CHANGED} else "",
        reason=one.reason,
        changes=[ImportChangeOut(change.column, change.old, change.new) for change in one.changes],
    )


async def batches_out(rows: Sequence[ImportBatch]) -> list[ImportBatchOut]:
    """Batches, each with who brought it in."""
    people = await identity.names_of({row.entered_by_id for row in rows})
    return [
        ImportBatchOut(
            id=row.id,
            file_name=row.file_name,
            added=row.added,
            changed=row.changed,
            unchanged=row.unchanged,
            kept=row.kept,
            entered_by=people.get(row.entered_by_id, ""),
            at=row.at,
        )
        for row in rows
    ]


async def aliases_out(rows: Sequence[UnitAlias]) -> list[UnitAliasOut]:
    """Aliases, each with its organ."""
    names = await identity.organ_short_names({row.organ_id for row in rows})
    return [UnitAliasOut(row.name, Named(row.organ_id, names[row.organ_id])) for row in rows]


# --- the report to be downloaded --------------------------------------------------------------------------------------

_PROBLEM_HEADER = ("工作表", "行", "列", "问题")
_REMARK_HEADER = ("行", "提示")


def marked(plan: Plan) -> dict[str, MarkedSheet]:
    """The sheet as it came in, its bad cells marked and each row with its outcome; then all problems, and the remarks."""
    loaded = plan.loaded
    outcomes = {one.row.row: one for one in plan.rows}
    lines = {row: number for number, (row, _cells) in enumerate(loaded.cells, start=1)}
    lines[loaded.header_row] = 0
    places = {name: at + 2 for at, name in reversed(list(enumerate(loaded.header))) if name}
    words: dict[tuple[int, int], list[str]] = defaultdict(list)
    for problem in loaded.problems:
        if problem.sheet == loaded.title and problem.row in lines:
            words[lines[problem.row], places.get(problem.column, 0)].append(problem.message)
    rows = [(*_told(outcomes[row]), *cells) for row, cells in loaded.cells]
    sheets = {
        "核对结果": MarkedSheet(
            ("核对结果", "说明", *loaded.header), rows, {at: "\n".join(said) for at, said in words.items()}
        ),
        "问题": MarkedSheet(
            _PROBLEM_HEADER, [(one.sheet, str(one.row), one.column, one.message) for one in loaded.problems], {}
        ),
        "提示": MarkedSheet(_REMARK_HEADER, [(str(one.row or ""), one.words) for one in loaded.remarks], {}),
    }
    kept = [(one.column, one.title, _COLUMN_WORDS[one.outcome], one.means) for one in loaded.columns]
    return sheets | {"列": MarkedSheet(("列", "列名", "处理", "含义"), kept, {})}


_COLUMN_WORDS = {"imported": "导入", "kept_out": "不导入：系统中暂无对应内容", "unknown": "不导入：不认识的列"}


def _told(one: Planned) -> tuple[str, str]:
    changes = "；".join(f"{change.column}：{change.old or '空'} → {change.new}" for change in one.changes)
    return one.outcome.title_zh, "；".join(filter(None, (one.reason, changes)))
