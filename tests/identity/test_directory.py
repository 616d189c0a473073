"""The directory from a sheet: all of it or nothing, and what is there already is brought up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oa_server.audit import actions as audit
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.core.actor import SYSTEM, Role
from oa_server.core.errors import Denied, Invalid
from oa_server.demo.enrolment import actor_named
from oa_server.identity import access
from oa_server.identity.importing import Difference, import_directory
from oa_server.identity.models import Official, Organ, Post, Responsibility, Unit
from oa_server.settings import Settings, save
from oa_server.verification import all_faults
from tests.city import OFFICIALS, ORGANS, PEOPLE, City, told

ORGAN_HEADER, OFFICIAL_HEADER = (sheet.splitlines()[0] for sheet in (ORGANS, OFFICIALS))


async def bring_in(*rows: str, header: str = OFFICIAL_HEADER) -> Difference:
    """The system imports a sheet of these rows."""
    return await import_directory(SYSTEM, "表.csv", "\n".join((header, *rows)).encode())


async def everything() -> list[list[dict[str, object]]]:
    return [await model.all().order_by("id").values() for model in (Organ, Unit, Official, Post, Responsibility)]


def counts(done: Difference) -> tuple[int, int, int, int]:
    return done.organs, done.units, done.officials, len(done.rows)


async def faults(city: City) -> list[str]:
    while await audit.sequence():
        pass
    return [f"{fault.where}：{fault.what}" async for fault in all_faults(city.app.state.house)]


async def test_the_same_sheets_again(city: City) -> None:
    """The sheets that founded the city, imported once more, change nothing; that somebody imported them is recorded."""
    before = await everything()
    for sheet in (ORGANS, OFFICIALS):
        assert counts(await import_directory(SYSTEM, "表.csv", sheet.encode())) == (0, 0, 0, 0)
    assert await everything() == before
    record = await AuditRecord.filter(verb=Verb.DIRECTORY_IMPORTED).order_by("-id").first()
    assert (record.facts["officials"], "rows" in record.facts) == (0, False)


async def test_people_are_brought_up_to_date(city: City) -> None:
    """A changed name, title or principal mark takes effect, each counted once and covered by the log; the rest stays."""
    chen = await city.signed_in("chen")
    done = await bring_in(
        "JC001,综合科,wang,王建国,主任科员,,",
        "JC001,综合科,li,李虹,科长,,部门负责人",
        "JC001,领导,chen,陈志远,副主任,,领导",
        "JC001,秘书科,zhao,赵明,科长,,核稿",
    )
    assert counts(done) == (0, 0, 3, 3)
    assert (await access.post_of((await access.official_by_code("wang")).id)).title == "主任科员"
    assert (await access.official_by_code("li")).name == "李虹"
    post = await access.post_of((await access.official_by_code("chen")).id)
    assert (post.title, post.is_principal) == ("副主任", False)
    record = await AuditRecord.filter(verb=Verb.DIRECTORY_IMPORTED).order_by("-id").first()
    assert sorted(name.partition(":")[0] for name in record.facts["rows"]) == ["official", "post", "post"]
    assert (await chen.get("/api/session")).json()["post"] == "副主任"
    assert await faults(city) == []


async def test_organs_are_brought_up_to_date(city: City) -> None:
    """A changed organ takes effect, and one that gets its issuing word may issue from then on."""
    done = await bring_in("JC003,江城市教育体育局,市教体局,部门,JC001,江教发,江城市教育体育局文件", header=ORGAN_HEADER)
    assert counts(done)[:3] == (1, 0, 0)
    organ = await Organ.get(code="JC003")
    assert (organ.full_name, organ.issuing_word) == ("江城市教育体育局", "江教发")
    again = await bring_in(
        "JC003,江城市教育体育局,市教体局,部门,JC001,江教发,江城市教育体育局文件", header=ORGAN_HEADER
    )
    assert counts(again) == (0, 0, 0, 0)
    assert await faults(city) == []


async def test_a_column_that_is_not_there_says_nothing(city: City) -> None:
    """A sheet without a column leaves what that column would say as it is."""
    assert counts(await bring_in("JC001,领导,chen,陈志远,主任", header="机关代码,部门,人员编号,姓名,职务")) == (
        0,
        0,
        0,
        0,
    )
    done = await bring_in("JC002,江城市财政局,市财政局,部门", header="机关代码,机关全称,机关简称,级别")
    assert counts(done) == (0, 0, 0, 0)
    assert (await Organ.get(code="JC002")).issuing_word == "江财发"


async def test_a_second_post(city: City) -> None:
    """Who gets a second post goes on acting in the first."""
    wang = await city.signed_in("wang")
    done = await bring_in("JC002,预算科,wang,王建国,挂职副科长,,核稿")
    assert counts(done) == (0, 0, 1, 2)
    shown = (await wang.get("/api/session")).json()
    assert (shown["organ"]["code"], shown["post"], shown["roles"]) == ("JC001", "科员", [])


async def test_new_people_and_units(city: City) -> None:
    """New rows make units, people, posts and roles; a role that is named twice is given once."""
    done = await bring_in("JC003,基础教育科,tang,唐宁,科长,是,部门负责人;核稿、部门负责人")
    assert counts(done) == (0, 1, 1, 5)
    tang = await Official.get(code="tang")
    assert await access.roles_of(tang.id, (await Organ.get(code="JC003")).id) == {
        Role.UNIT_HEAD,
        Role.OFFICE_REVIEWER,
    }
    assert await faults(city) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("JC001,综合科,new2,=1+1,科员,,", "identity.sheet_formula"),
        ("JC999,综合科,new2,新人二,科员,,", "identity.sheet_unknown_organ"),
        ("JC001,综合科,new1,新人二,科员,,", "identity.sheet_duplicate"),
        ("JC001,综合科,new2,新人二,科员,,皇帝", "identity.sheet_unknown_role"),
    ],
)
async def test_one_bad_row(city: City, bad: str, code: str) -> None:
    """A sheet with one bad row brings nothing in, and tells which cell it is."""
    before = await everything()
    with pytest.raises(Invalid) as refused:
        await bring_in("JC001,综合科,new1,新人一,科员,,", "JC001,综合科,wang,改名,科员,,", bad)
    (problem,) = refused.value.facts["problems"]
    assert (problem["sheet"], problem["row"], problem["code"]) == ("表.csv", 4, code)
    assert await everything() == before


async def test_a_circle_through_what_is_there(city: City) -> None:
    """An organ cannot be put below one that stands below it, whichever sheet said so."""
    with pytest.raises(Invalid) as refused:
        await bring_in("JC001,江城市人民政府办公室,市政府办公室,市级,JC003,,", header=ORGAN_HEADER)
    assert [p["code"] for p in refused.value.facts["problems"]] == ["identity.sheet_cycle"]


# --- who may, and what nobody may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["wang", "sec", "aud"])
async def test_who_may_not(city: City, person: str) -> None:
    """Only the system administrator keeps the directory."""
    with pytest.raises(Denied) as refused:
        await import_directory(await actor_named(person), "表.csv", OFFICIALS.encode())
    assert refused.value.code == "identity.not_system_admin"


@pytest.mark.parametrize(
    ("row", "first"),
    [
        ("JC001,综合科,new1,新人一,科员,,系统管理员;安全管理员", None),
        ("JC001,综合科,new1,新人一,科员,,审计员;核稿", None),
        ("JC001,信息中心,sys,何平,系统管理员,,审计员", None),
        ("JC002,信息中心,sec,吕安,安全管理员,,系统管理员", None),
        ("JC001,机要科,sun,孙丽,机要员,,审计员", None),
        ("JC001,信息中心,new1,新人一,管理员,,核稿", "JC001,信息中心,new1,新人一,管理员,,系统管理员"),
    ],
)
async def test_three_administrators(city: City, row: str, first: str | None) -> None:
    """No sheet gives one person two administrator's roles, or one beside a business role, now or by a second import."""
    if first:
        await bring_in(first)
    before = await everything()
    with pytest.raises(Denied) as refused:
        await bring_in("JC001,综合科,new9,新人九,科员,,", row)
    assert refused.value.code == "identity.one_admin_role"
    assert (refused.value.facts["sheet"], refused.value.facts["row"]) == ("表.csv", 3)
    assert await everything() == before


async def test_no_administrator_makes_another(city: City) -> None:
    """The system administrator brings people in, but makes nobody an administrator: that is done at the console."""
    administrator = await actor_named("sys")
    fine = f"{OFFICIAL_HEADER}\nJC001,综合科,new1,新人一,科员,,核稿"
    assert (await import_directory(administrator, "表.csv", fine.encode())).officials == 1
    again = f"{OFFICIAL_HEADER}\nJC001,信息中心,sec,吕安,安全管理员,,安全管理员"
    assert (await import_directory(administrator, "表.csv", again.encode())).officials == 0
    with pytest.raises(Denied) as refused:
        await import_directory(administrator, "表.csv", fine.replace("核稿", "安全管理员").encode())
    assert refused.value.code == "identity.admins_at_the_console"


# --- as officials see it ----------------------------------------------------------------------------------------------


async def test_looking_an_organ_up(city: City) -> None:
    """Every signed-in official finds organs by part of their names or code, in the order of the official list."""
    wang = await city.signed_in("wang")
    for query, found in (
        ("", ["JC001", "JC002", "JC003"]),
        (" 财政 ", ["JC002"]),
        ("市教育局", ["JC003"]),
        ("C00", ["JC001", "JC002", "JC003"]),
        ("%", []),
        ("无此机关", []),
    ):
        rows = (await wang.get("/api/organs", params={"q": query})).json()["items"]
        assert [row["code"] for row in rows] == found, query


async def test_who_is_in_an_organ(city: City) -> None:
    """An organ shows its units and people with their posts and roles; whoever has left is not among them."""
    wang = await city.signed_in("wang")
    await Official.filter(code="zhou").update(active=False)
    shown = (await wang.get(f"/api/organs/{city.organs['JC002']}")).json()
    people = {unit["name"]: [p["name"] for p in unit["officials"]] for unit in shown["units"]}
    assert "周敏" not in people["办公室"]
    (wu,) = [p for unit in shown["units"] for p in unit["officials"] if p["code"] == "wu"]
    assert (wu["post"], wu["is_principal"], wu["roles"]) == ("局长", True, ["leader"])


async def test_an_organ_that_is_not_there(city: City) -> None:
    """An address that names no organ is not found, and nobody looks without signing in."""
    wang = await city.signed_in("wang")
    for key in (city.people["wang"], "JC001", "'"):
        assert told(await wang.get(f"/api/organs/{key}")) == (404, "core.not_found")
    for path in ("/api/organs", f"/api/organs/{city.organs['JC001']}"):
        assert told(await city.browser("wang").get(path)) == (401, "web.no_session")


# --- on the command line ----------------------------------------------------------------------------------------------


def _oa(settings: Settings, folder: Path, sheet: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`oa import-directory` over a city that is not running."""
    save(settings, folder / "settings.toml")
    (folder / "人员.csv").write_text(sheet, "utf-8")
    environment = os.environ | {"OA_SETTINGS": str(folder / "settings.toml")}
    command = [sys.executable, "-m", "oa_server", "import-directory", str(folder / "人员.csv"), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command(settings: Settings, tmp_path: Path) -> None:
    """`oa import-directory` brings a sheet in and prints how many are new; as a dry run it prints the difference alone."""
    rehearsed = _oa(settings, tmp_path, OFFICIALS + "JC003,新科,new1,新人一,科员,,\n", "--dry-run")
    assert rehearsed.stdout.splitlines()[0].startswith(f"人员.csv 第{len(PEOPLE) + 2}行　新人一　新增　")
    done = _oa(settings, tmp_path, OFFICIALS + "JC003,新科,new1,新人一,科员,,\n")
    assert (done.returncode, done.stdout) == (0, "机关 0，部门 1，人员 1\n")


def test_the_command_tells_what_is_wrong(settings: Settings, tmp_path: Path) -> None:
    """`oa import-directory` prints every problem of a bad sheet and exits 1, and nothing has come in."""
    bad = OFFICIALS + "JC009,新科,new1,=1,科员,,\n"
    done = _oa(settings, tmp_path, bad)
    assert (done.returncode, done.stdout) == (1, "")
    for word in ("未导入任何内容", f'"row": {len(PEOPLE) + 2}', "identity.sheet_formula", "机关代码“JC009”不存在"):
        assert word in done.stderr
    assert _oa(settings, tmp_path, OFFICIALS).stdout == "机关 0，部门 0，人员 0\n"
