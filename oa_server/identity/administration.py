"""Keeping the directory, roles and rosters over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import msgspec
from starlette.responses import Response

from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
)
from oa_server.identity import access, duties, importing, keeping, remits, roles, rules
from oa_server.identity.exporting import directory_sheets, roster_sheets
from oa_server.identity.models import Duty, Post, RoleChange
from oa_server.identity.schemas import (
    DirectoryOut,
    DutyIn,
    DutyList,
    DutyOut,
    DutyQuery,
    HeldRole,
    KeepIn,
    KeptOfficial,
    KeptOrgan,
    KeptPost,
    KeptRemits,
    KeptUnit,
    NewDutyIn,
    OfficialIn,
    OfficialKeepIn,
    OrganIn,
    OrganRow,
    PersonIn,
    PersonList,
    PersonQuery,
    PersonRow,
    PostFields,
    PostIn,
    RemitsIn,
    RoleChangeList,
    RoleChangeOut,
    RoleDecisionIn,
    RoleIn,
    RoleQuery,
    RoleTakeIn,
    SheetDifference,
    SheetQuery,
    UnitIn,
)
from oa_server.identity.spreadsheet import SIZE_LIMIT
from oa_server.web.endpoint import Call, endpoint, resource
from oa_server.web.shapes import AbilityOut, Named, ability_out
from oa_server.web.sheets import SHEET, XLSX, leave_as_book

CHANGES = (Conflict, PreconditionFailed, PreconditionRequired)
ROSTER_DAYS = 62


def _abilities(call: Call[Any], organ_id: UUID | None = None) -> list[AbilityOut]:
    found = rules.organ_abilities(call.actor, organ_id) if organ_id else rules.abilities(call.actor)
    return [ability_out(ability, call.language) for ability in found]


# --- what administrators see ------------------------------------------------------------------------------------------


@endpoint(summary="组织机构维护概况", returns=DirectoryOut, refuses=[Denied])
async def show_directory(call: Call[None]) -> DirectoryOut:
    rules.check(call.actor, "see_roles")
    retired = [
        OrganRow(row["id"], row["code"], row["full_name"], row["short_name"], row["level"], row["superior_id"])
        for row in await access.retired_organs()
    ]
    return DirectoryOut(retired, await access.role_changes_open(), _abilities(call))


@endpoint(summary="查找人员", query=PersonQuery, returns=PersonList, refuses=[Denied])
async def find_people(call: Call[None]) -> PersonList:
    rows = await access.people_like(call.actor, call.query.q.strip())
    return PersonList([PersonRow(key, *person) for key, person in rows.items()])


@endpoint(summary="维护机关：部门、岗位、人员", returns=KeptOrgan, refuses=[Denied])
async def show_kept_organ(call: Call[None]) -> KeptOrgan:
    return await _kept_organ(call, call.id())


async def _kept_organ(call: Call[Any], organ_id: UUID) -> KeptOrgan:
    rules.check(call.actor, "see_roles")
    organ = await access.organ(organ_id)
    posts = await _kept_posts(await access.all_posts_of(organ.id))
    by_unit: dict[UUID, list[KeptPost]] = {}
    for post in posts:
        by_unit.setdefault(post.unit.id, []).append(post)
    units = [
        KeptUnit(u.id, u.name, u.position, u.retired_at, by_unit.get(u.id, []), access.etag_of(u))
        for u in await access.all_units_of(organ.id)
    ]
    answers_for = await access.remits_of(organ.id)
    return KeptOrgan(
        id=organ.id,
        retired_at=organ.retired_at,
        remits=KeptRemits([one.text for one in answers_for], access.etag_of_list(answers_for)),
        units=units,
        abilities=_abilities(call, organ.id),
        seen=access.etag_of(organ),
        **{name: getattr(organ, name) for name in OrganIn.__struct_fields__},
    )


async def _kept_posts(rows: Sequence[Post]) -> list[KeptPost]:
    people = {row.id: row for row in await access.officials({row.official_id for row in rows})}
    organs = await access.organ_short_names({row.organ_id for row in rows})
    units = await access.unit_names({row.unit_id for row in rows})
    held = await access.roles_by_unit(people)
    return [
        KeptPost(
            id=row.id,
            official=Named(row.official_id, people[row.official_id].name),
            code=people[row.official_id].code,
            organ=Named(row.organ_id, organs[row.organ_id]),
            unit=Named(row.unit_id, units[row.unit_id]),
            title=row.title,
            is_principal=row.is_principal,
            retired_at=people[row.official_id].retired_at,
            roles=sorted(held.get((row.official_id, row.unit_id), ())),
            seen=access.etag_of(row),
        )
        for row in rows
    ]


@endpoint(summary="维护人员：岗位、职责", returns=KeptOfficial, refuses=[Denied])
async def show_kept_official(call: Call[None]) -> KeptOfficial:
    return await _kept_official(call, call.id())


async def _kept_official(call: Call[Any], official_id: UUID) -> KeptOfficial:
    rules.check(call.actor, "see_roles")
    official = await access.official(official_id)
    held = await access.roles_held(official.id)
    organs = await access.organ_short_names({row.organ_id for row in held})
    units = await access.unit_names({row.unit_id for row in held if row.unit_id})
    proposed = await access.role_changes(call.actor, state="pending", official_id=official.id)
    return KeptOfficial(
        id=official.id,
        code=official.code,
        name=official.name,
        retired_at=official.retired_at,
        posts=await _kept_posts(await access.posts_held(official.id)),
        roles=[HeldRole(r.id, r.role, Named(r.organ_id, organs[r.organ_id]), units.get(r.unit_id, "")) for r in held],
        proposed=await _role_rows(call, proposed),
        abilities=_abilities(call),
        seen=access.etag_of(official),
    )


# --- organs and units -------------------------------------------------------------------------------------------------


@endpoint(summary="登记机关", body=OrganIn, returns=KeptOrgan, status=201, once=True, refuses=[NotFound])
async def enter_organ(call: Call[OrganIn]) -> KeptOrgan:
    organ = await keeping.enter_organ(call.actor, msgspec.structs.asdict(call.body))
    return await _kept_organ(call, organ.id)


@endpoint(summary="修改机关的主要职责", body=RemitsIn, returns=KeptOrgan, needs=["If-Match"], refuses=CHANGES)
async def keep_remits(call: Call[RemitsIn]) -> KeptOrgan:
    await remits.keep_remits(call.actor, call.id(), call.if_match, call.body.items)
    return await _kept_organ(call, call.id())


@endpoint(summary="修改机关", body=OrganIn, returns=KeptOrgan, needs=["If-Match"], refuses=CHANGES)
async def change_organ(call: Call[OrganIn]) -> KeptOrgan:
    await keeping.change_organ(call.actor, call.id(), call.if_match, msgspec.structs.asdict(call.body))
    return await _kept_organ(call, call.id())


@endpoint(summary="停用、恢复机关", body=KeepIn, returns=KeptOrgan, refuses=[Conflict])
async def keep_organ(call: Call[KeepIn]) -> KeptOrgan:
    act = keeping.retire_organ if call.body.verb == "retire" else keeping.restore_organ
    await act(call.actor, call.id())
    return await _kept_organ(call, call.id())


@endpoint(summary="登记部门", body=UnitIn, returns=KeptOrgan, status=201, once=True)
async def enter_unit(call: Call[UnitIn]) -> KeptOrgan:
    await keeping.enter_unit(call.actor, call.id(), msgspec.structs.asdict(call.body))
    return await _kept_organ(call, call.id())


@endpoint(summary="修改部门", body=UnitIn, returns=KeptOrgan, needs=["If-Match"], refuses=CHANGES)
async def change_unit(call: Call[UnitIn]) -> KeptOrgan:
    unit = await keeping.change_unit(call.actor, call.id(), call.if_match, msgspec.structs.asdict(call.body))
    return await _kept_organ(call, unit.organ_id)


@endpoint(summary="停用、恢复部门", body=KeepIn, returns=KeptOrgan, refuses=[Conflict])
async def keep_unit(call: Call[KeepIn]) -> KeptOrgan:
    act = keeping.retire_unit if call.body.verb == "retire" else keeping.restore_unit
    unit = await act(call.actor, call.id())
    return await _kept_organ(call, unit.organ_id)


# --- officials, posts and roles ---------------------------------------------------------------------------------------


def _post(wanted: PostFields) -> dict[str, Any]:
    return {"title": wanted.title, "is_principal": wanted.is_principal}


@endpoint(summary="登记人员", body=OfficialIn, returns=KeptOfficial, status=201, once=True, refuses=[NotFound])
async def enter_official(call: Call[OfficialIn]) -> KeptOfficial:
    wanted = call.body
    person = {"code": wanted.code, "name": wanted.name}
    official = await keeping.enter_official(call.actor, wanted.post.unit_id, person, _post(wanted.post))
    return await _kept_official(call, official.id)


@endpoint(summary="修改人员", body=PersonIn, returns=KeptOfficial, needs=["If-Match"], refuses=CHANGES)
async def change_official(call: Call[PersonIn]) -> KeptOfficial:
    await keeping.change_official(call.actor, call.id(), call.if_match, msgspec.structs.asdict(call.body))
    return await _kept_official(call, call.id())


@endpoint(summary="停用、恢复人员", body=OfficialKeepIn, returns=KeptOfficial, refuses=[Conflict])
async def keep_official(call: Call[OfficialKeepIn]) -> KeptOfficial:
    if call.body.verb == "retire":
        await keeping.retire_official(call.actor, call.id(), call.body.successor_id)
    else:
        await keeping.restore_official(call.actor, call.id())
    return await _kept_official(call, call.id())


@endpoint(summary="增加岗位", body=PostIn, returns=KeptOfficial, status=201, once=True)
async def enter_post(call: Call[PostIn]) -> KeptOfficial:
    await keeping.enter_post(call.actor, call.id(), call.body.unit_id, _post(call.body))
    return await _kept_official(call, call.id())


@endpoint(summary="修改岗位", body=PostFields, returns=KeptOfficial, needs=["If-Match"], refuses=CHANGES)
async def change_post(call: Call[PostFields]) -> KeptOfficial:
    post = await keeping.change_post(call.actor, call.id(), call.if_match, _post(call.body))
    return await _kept_official(call, post.official_id)


@endpoint(summary="撤销岗位", refuses=[Conflict])
async def end_post(call: Call[None]) -> None:
    await keeping.end_post(call.actor, call.id())


@endpoint(summary="提出授予职责，由另一名管理员复核", body=RoleIn, returns=KeptOfficial, status=201, once=True)
async def propose_role(call: Call[RoleIn]) -> KeptOfficial:
    wanted = call.body
    await roles.propose_role(call.actor, call.id(), wanted.unit_id, wanted.role, wanted.reason)
    return await _kept_official(call, call.id())


@endpoint(summary="收回职责，立即生效", body=RoleTakeIn, refuses=[Conflict])
async def take_role(call: Call[RoleTakeIn]) -> None:
    await roles.take_role(call.actor, call.id(), call.body.reason)


@endpoint(summary="职责授予清单", query=RoleQuery, returns=RoleChangeList, refuses=[Denied])
async def list_role_changes(call: Call[None]) -> RoleChangeList:
    wanted = call.query
    after = call.after("roles")
    rows = await access.role_changes(call.actor, state=wanted.state, after=after, limit=wanted.limit)
    return RoleChangeList(await _role_rows(call, rows), call.further("roles", rows))


@endpoint(
    summary="复核、驳回、撤回职责授予",
    body=RoleDecisionIn,
    returns=RoleChangeList,
    refuses=(Conflict, NotFound),
)
async def decide_roles(call: Call[RoleDecisionIn]) -> RoleChangeList:
    rows = await roles.decide_roles(call.actor, call.body.ids, call.body.verb)
    return RoleChangeList(await _role_rows(call, rows), None)


async def _role_rows(call: Call[Any], rows: Sequence[RoleChange]) -> list[RoleChangeOut]:
    keys = {key for row in rows for key in (row.official_id, row.proposed_by, row.decided_by) if key}
    people = {row.id: row for row in await access.officials(keys)}
    organs = await access.organ_short_names({row.organ_id for row in rows})
    units = await access.unit_names({row.unit_id for row in rows})
    return [
        RoleChangeOut(
            id=row.id,
            official=Named(row.official_id, people[row.official_id].name),
            code=people[row.official_id].code,
            organ=organs[row.organ_id],
            unit=units[row.unit_id],
            role=row.role,
            reason=row.reason,
            state=row.state,
            proposed_by=people[row.proposed_by].name,
            proposed_at=row.proposed_at,
            decided_by=people[row.decided_by].name if row.decided_by else "",
            decided_at=row.decided_at,
            abilities=[ability_out(a, call.language) for a in rules.change_abilities(call.actor, row)],
        )
        for row in rows
    ]


# --- sheets -----------------------------------------------------------------------------------------------------------


@endpoint(
    summary="试导入：显示差异，不作任何改动",
    body=SHEET,
    query=SheetQuery,
    returns=SheetDifference,
    refuses=(Denied, Invalid, Conflict),
)
async def rehearse_import(call: Call[None]) -> SheetDifference:
    return _difference(await importing.rehearse(call.actor, call.query.name, await call.raw(SIZE_LIMIT)))


@endpoint(
    summary="按显示过的差异导入组织机构或值班表",
    body=SHEET,
    query=SheetQuery,
    returns=SheetDifference,
    refuses=(Denied, Invalid, Conflict),
)
async def import_sheet(call: Call[None]) -> SheetDifference:
    data = await call.raw(SIZE_LIMIT)
    return _difference(await importing.import_directory(call.actor, call.query.name, data, shown=call.query.shown))


def _difference(found: importing.Difference) -> SheetDifference:
    return msgspec.convert(found.as_facts(), SheetDifference)


@endpoint(summary="导出组织机构", returns=XLSX, refuses=[Denied])
async def export_directory(call: Call[None]) -> Response:
    sheets = await directory_sheets(call.actor)
    return await leave_as_book(call, "组织机构.xlsx", sheets, verb=Verb.DIRECTORY_EXPORTED, subject="directory")


@endpoint(summary="导出值班表", query=DutyQuery, returns=XLSX, refuses=(Denied, TooLarge))
async def export_roster(call: Call[None]) -> Response:
    sheets = await roster_sheets(call.actor, call.query.organ_id, await _duties(call))
    return await leave_as_book(call, "值班表.xlsx", sheets, verb=Verb.DIRECTORY_EXPORTED, subject="duties")


# --- rosters ----------------------------------------------------------------------------------------------------------


async def _duties(call: Call[Any]) -> list[Duty]:
    """The duties of the days that are asked for. Raises Invalid for more of them than a roster has."""
    wanted = call.query
    if not timedelta(0) <= wanted.until - wanted.since <= timedelta(days=ROSTER_DAYS):
        raise Invalid(rules.ROSTER_TOO_LONG, days=ROSTER_DAYS)
    since, until = clock.midnight(wanted.since), clock.midnight(wanted.until) + timedelta(days=1)
    return await access.duties(since, until, wanted.organ_id)


@endpoint(summary="值班表", query=DutyQuery, returns=DutyList)
async def list_duties(call: Call[None]) -> DutyList:
    organ_id = call.query.organ_id or call.actor.organ_id
    return DutyList(await _duty_rows(await _duties(call)), _abilities(call, organ_id))


async def _duty_rows(rows: Collection[Duty]) -> list[DutyOut]:
    people = {row.id: row for row in await access.officials({row.official_id for row in rows})}
    organs = await access.organ_short_names({row.organ_id for row in rows})
    units = await access.unit_names({row.unit_id for row in rows if row.unit_id})
    return [
        DutyOut(
            id=row.id,
            organ=Named(row.organ_id, organs[row.organ_id]),
            unit=Named(row.unit_id, units[row.unit_id]) if row.unit_id else None,
            official=Named(row.official_id, people[row.official_id].name),
            code=people[row.official_id].code,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            telephone=row.telephone,
            remark=row.remark,
            seen=access.etag_of(row),
        )
        for row in rows
    ]


def _duty(wanted: DutyIn) -> dict[str, Any]:
    """The columns of a duty; moments are kept in UTC, whichever zone they came in."""
    values = {name: getattr(wanted, name) for name in DutyIn.__struct_fields__ if name != "overlapping"}
    return values | {name: values[name].astimezone(UTC) for name in ("starts_at", "ends_at")}


@endpoint(summary="安排值班", body=NewDutyIn, returns=DutyOut, status=201, once=True, refuses=[NotFound])
async def enter_duty(call: Call[NewDutyIn]) -> DutyOut:
    wanted = call.body
    row = await duties.enter_duty(call.actor, wanted.organ_id, _duty(wanted), overlapping=wanted.overlapping)
    return (await _duty_rows([row]))[0]


@endpoint(summary="修改值班", body=DutyIn, returns=DutyOut, needs=["If-Match"], refuses=CHANGES)
async def change_duty(call: Call[DutyIn]) -> DutyOut:
    wanted = call.body
    row = await duties.change_duty(call.actor, call.id(), call.if_match, _duty(wanted), overlapping=wanted.overlapping)
    return (await _duty_rows([row]))[0]


@endpoint(summary="取消值班")
async def cancel_duty(call: Call[None]) -> None:
    await duties.cancel_duty(call.actor, call.id())


routes = [
    resource("/api/directory", GET=show_directory),
    resource("/api/directory.xlsx", GET=export_directory),
    resource("/api/directory/difference", POST=rehearse_import),
    resource("/api/directory/imports", POST=import_sheet),
    resource("/api/directory/people", GET=find_people),
    resource("/api/directory/organs", POST=enter_organ),
    resource("/api/directory/organs/{id}", GET=show_kept_organ, PATCH=change_organ),
    resource("/api/directory/organs/{id}/acts", POST=keep_organ),
    resource("/api/directory/organs/{id}/remits", PUT=keep_remits),
    resource("/api/directory/organs/{id}/units", POST=enter_unit),
    resource("/api/directory/units/{id}", PATCH=change_unit),
    resource("/api/directory/units/{id}/acts", POST=keep_unit),
    resource("/api/directory/officials", POST=enter_official),
    resource("/api/directory/officials/{id}", GET=show_kept_official, PATCH=change_official),
    resource("/api/directory/officials/{id}/acts", POST=keep_official),
    resource("/api/directory/officials/{id}/posts", POST=enter_post),
    resource("/api/directory/officials/{id}/roles", POST=propose_role),
    resource("/api/directory/posts/{id}", PATCH=change_post, DELETE=end_post),
    resource("/api/directory/roles/{id}/taking", POST=take_role),
    resource("/api/directory/role-changes", GET=list_role_changes),
    resource("/api/directory/role-changes/acts", POST=decide_roles),
    resource("/api/duties", GET=list_duties, POST=enter_duty),
    resource("/api/duties.xlsx", GET=export_roster),
    resource("/api/duties/{id}", PATCH=change_duty, DELETE=cancel_duty),
]
