"""The verbs of identity: the directory from a spreadsheet, and ending sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Invalid, Reason
from oa_server.core.ids import new_id
from oa_server.identity import rules
from oa_server.identity.events import OrganRegistered
from oa_server.identity.models import Official, Organ, OrganLevel, Post, Responsibility, Session, Unit
from oa_server.identity.spreadsheet import Directory, OfficialRow, OrganRow, Report, read_directory
from oa_server.storage.unit_of_work import Work, unit_of_work

SHEET_REFUSED = Reason(
    "identity.sheet_refused", "表格有错误，未导入任何内容；请按报告修改后重新导入", "The sheet has errors; nothing was imported."
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, in rows."""

    organs: int
    units: int
    officials: int
    unchanged: int


async def import_directory(actor: Actor, name: str, data: bytes) -> Imported:
    """Bring organs, units and officials in from a sheet, all or nothing. Raises Denied; Invalid with the report."""
    _check(actor, "import_directory")
    directory, report = read_directory(name, data)
    check_report(report)
    async with unit_of_work(actor) as work:
        importer = _Importer(work)
        await importer.run(directory)
        work.audit(
            Verb.DIRECTORY_IMPORTED,
            "directory",
            sha256(data).hexdigest()[:32],
            file_sha256=sha256(data).hexdigest(),
            organs=importer.organs_made,
            units=importer.units_made,
            officials=importer.officials_made,
        )
    return Imported(importer.organs_made, importer.units_made, importer.officials_made, importer.unchanged)


def check_report(report: Report) -> None:
    """Refuse a sheet with problems, giving every one of them with its cell."""
    if report.problems:
        raise Invalid(SHEET_REFUSED, problems=[problem.as_facts() for problem in report.problems[:200]])
