"""The directory kept in place: one row, one act, nobody deleted, and nothing left to nobody."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.demo.enrolment import actor_named
from oa_server.identity import access
from oa_server.identity.importing import import_directory
from oa_server.identity.models import Official, Organ, Responsibility, RoleChange
from oa_server.pki.models import Certificate
from oa_server.workflow.models import Task
from tests.city import Browser, City, told
from tests.faults.house import faults
from tests.journey import Begin
from tests.sockets import live

ABSENT = "00000000-0000-7000-8000-000000000000"
ORGAN = {"code": "JC009", "full_name": "江城市审计局", "short_name": "市审计局", "level": "department"}
PERSON = {"code": "he", "name": "贺新", "post": {"unit_id": ABSENT, "title": "科员"}}
DUTY = {"official_id": ABSENT, "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-01T08:00:00Z"}
BASE = "/api/directory"
# Every verb of the directory, and whose it is.
VERBS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("sys", "POST", f"{BASE}/organs", ORGAN),
    ("sys", "PATCH", f"{BASE}/organs/{ABSENT}", ORGAN),
    ("sys", "POST", f"{BASE}/organs/{ABSENT}/acts", {"verb": "retire"}),
    ("sys", "PUT", f"{BASE}/organs/{ABSENT}/remits", {"items": ["财政预算与决算"]}),
    ("sys", "POST", f"{BASE}/organs/{ABSENT}/units", {"name": "新科"}),
    ("sys", "PATCH", f"{BASE}/units/{ABSENT}", {"name": "新科"}),
    ("sys", "POST", f"{BASE}/units/{ABSENT}/acts", {"verb": "retire"}),
    ("sys", "POST", f"{BASE}/officials", PERSON),
    ("sys", "PATCH", f"{BASE}/officials/{ABSENT}", {"code": "he", "name": "贺新"}),
    ("sys", "POST", f"{BASE}/officials/{ABSENT}/acts", {"verb": "retire"}),
    ("sys", "POST", f"{BASE}/officials/{ABSENT}/posts", PERSON["post"]),
    ("sys", "PATCH", f"{BASE}/posts/{ABSENT}", {"title": "科员"}),
    ("sys", "DELETE", f"{BASE}/posts/{ABSENT}", {}),
    ("sec", "POST", f"{BASE}/officials/{ABSENT}/roles", {"unit_id": ABSENT, "role": "clerk", "reason": "调岗"}),
    ("sec", "POST", f"{BASE}/roles/{ABSENT}/taking", {"reason": "调岗"}),
    ("sys", "POST", "/api/duties", DUTY | {"organ_id": ABSENT}),
]
REFUSALS = {
    "sys": {"identity.not_system_admin", "identity.not_duty_keeper"},
    "sec": {"identity.not_role_admin"},
}
READS = (BASE, f"{BASE}.xlsx", f"{BASE}/people", f"{BASE}/organs/{ABSENT}", f"{BASE}/officials/{ABSENT}")


async def send(browser: Browser, method: str, path: str, body: Any, *, seen: str = "x") -> httpx.Response:
    """A write as the web client sends it."""
    headers = {"If-Match": f'"{seen}"'} if method in {"PATCH", "PUT"} else {}
    return await browser.send(method, path, headers=headers, **({"json": body} if method != "DELETE" else {}))


async def kept(browser: Browser, city: City, person: str) -> dict[str, Any]:
    """An official as administrators see them."""
    return dict((await browser.get(f"{BASE}/officials/{city.people[person]}")).raise_for_status().json())


async def organ_of(browser: Browser, city: City, code: str = "JC001") -> dict[str, Any]:
    return dict((await browser.get(f"{BASE}/organs/{city.organs[code]}")).raise_for_status().json())


async def test_what_an_organ_answers_for(city: City) -> None:
    """The list is entered as a whole, by whoever has read it as it is; the log tells what came and went, and everybody sees it."""
    sys, path = await city.signed_in("sys"), f"{BASE}/organs/{city.organs['JC002']}"
    listed, seen = ["财政预算与决算", "政府采购与付款", "政府债务"], (await sys.get(path)).json()["remits"]["seen"]
    made = (await send(sys, "PUT", f"{path}/remits", {"items": listed}, seen=seen)).json()["remits"]
    assert made["items"] == listed
    assert told(await send(sys, "PUT", f"{path}/remits", {"items": []}, seen=seen)) == (412, "core.stale")
    hidden = await send(sys, "PUT", f"{path}/remits", {"items": ["政府\u200b债务"]}, seen=made["seen"])
    assert told(hidden) == (422, "identity.bad_words")
    listed = ["预算绩效管理", "财政预算与决算", "政府债务"]
    changed = (await send(sys, "PUT", f"{path}/remits", {"items": listed}, seen=made["seen"])).json()["remits"]
    await send(sys, "PUT", f"{path}/remits", {"items": [*listed, listed[0]]}, seen=changed["seen"])
    facts = [record.facts for record in await AuditRecord.filter(verb=Verb.REMITS_KEPT).order_by("id")]
    assert [(one["entered"], one["dropped"]) for one in facts[1:]] == [(["预算绩效管理"], ["政府采购与付款"])]
    wang = await city.signed_in("wang")
    assert (await wang.get(f"/api/organs/{city.organs['JC002']}")).json()["remits"] == listed
    assert await faults(city.app.state.house) == []


@pytest.mark.norm("D-8.1.4.2d", "D-8.1.5.3")
@pytest.mark.parametrize("person", ["sys", "sec", "aud", "wang", "sun"])
async def test_each_verb_is_one_administrators(city: City, person: str) -> None:
    """Structure is the system administrator's, roles are the security administrator's, and nobody
    else's; the system administrator gives and takes no role."""
    browser = await city.signed_in(person)
    for whose, method, path, body in VERBS:
        answer = await send(browser, method, path, body)
        if whose == person:
            assert answer.status_code in {201, 404}, (path, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"] in REFUSALS[whose]) == (403, True), (path, answer.text)
    for path in (*READS, f"{BASE}/role-changes"):
        assert ((await browser.get(path)).status_code == 403) == (person not in {"sys", "sec"}), path


async def test_an_organ_from_beginning_to_end(city: City) -> None:
    """An organ is entered, gets a unit, is changed by whoever has read it as it is, retired once it is empty, and restored."""
    sys = await city.signed_in("sys")
    made = (await send(sys, "POST", f"{BASE}/organs", ORGAN | {"superior_id": city.organs["JC001"]})).json()
    path = f"{BASE}/organs/{made['id']}"
    assert told(await send(sys, "POST", f"{BASE}/organs", ORGAN)) == (409, "identity.code_taken")
    changed = {**ORGAN, "full_name": "江城市审计和统计局", "issuing_word": "江审发"}
    assert told(await send(sys, "PATCH", path, changed)) == (412, "core.stale")
    assert told(await sys.send("PATCH", path, json=changed)) == (428, "web.no_if_match")
    first = (await send(sys, "PATCH", path, changed, seen=made["seen"])).json()
    assert (first["full_name"], first["superior_id"]) == ("江城市审计和统计局", None)
    assert told(await send(sys, "PATCH", path, changed, seen=made["seen"])) == (412, "core.stale")
    unit = (await send(sys, "POST", f"{path}/units", {"name": "审计科"})).json()["units"][0]
    hidden = await send(sys, "POST", f"{path}/units", {"name": "审\u200b计科"})
    assert told(hidden) == (422, "identity.bad_words")
    person = {"code": "he", "name": "贺新", "post": {"unit_id": unit["id"], "title": "科员"}}
    he = (await send(sys, "POST", f"{BASE}/officials", person)).json()
    refused = await send(sys, "POST", f"{path}/acts", {"verb": "retire"})
    assert (told(refused), refused.json()["facts"]) == ((409, "identity.in_use"), {"people": ["贺新"]})
    retired = await send(sys, "POST", f"{BASE}/officials/{he['id']}/acts", {"verb": "retire"})
    assert retired.json()["retired_at"]
    assert (await send(sys, "POST", f"{path}/acts", {"verb": "retire"})).json()["retired_at"]
    names = [row["code"] for row in (await sys.get("/api/organs")).json()["items"]]
    assert "JC009" not in names
    assert [row["code"] for row in (await sys.get(BASE)).json()["retired"]] == ["JC009"]
    wang = await city.signed_in("wang")
    to_nobody = await city.draft(wang, main_recipients=[made["id"]])
    assert told(to_nobody) == (422, "documents.unknown_organ")
    assert (await send(sys, "POST", f"{path}/acts", {"verb": "restore"})).json()["retired_at"] is None
    assert await faults(city.app.state.house) == []


async def test_nobody_above_themselves(city: City) -> None:
    """An organ is not put below one that stands below it."""
    sys = await city.signed_in("sys")
    shown = await organ_of(sys, city)
    wanted = {name: shown[name] for name in ("code", "full_name", "short_name", "level", "issuing_word", "issuer_mark")}
    wanted["superior_id"] = city.organs["JC002"]
    refused = await send(sys, "PATCH", f"{BASE}/organs/{shown['id']}", wanted, seen=shown["seen"])
    assert told(refused) == (422, "identity.circle")


async def test_people_and_posts(city: City) -> None:
    """Names, titles and further posts are changed one at a time; the last post is not taken, nor one with a role in it."""
    sys = await city.signed_in("sys")
    li = await kept(sys, city, "li")
    path = f"{BASE}/officials/{li['id']}"
    renamed = await send(sys, "PATCH", path, {"code": "li", "name": "李虹"}, seen=li["seen"])
    assert renamed.json()["name"] == "李虹"
    post = li["posts"][0]
    titled = await send(sys, "PATCH", f"{BASE}/posts/{post['id']}", {"title": "处长"}, seen=post["seen"])
    assert titled.json()["posts"][0]["title"] == "处长"
    assert told(await send(sys, "DELETE", f"{BASE}/posts/{post['id']}", {})) == (409, "identity.last_post")
    units = {unit["name"]: unit["id"] for unit in (await organ_of(sys, city))["units"]}
    second = await send(sys, "POST", f"{path}/posts", {"unit_id": units["秘书科"], "title": "兼职"})
    assert [p["unit"]["name"] for p in second.json()["posts"]] == ["综合科", "秘书科"]
    assert told(await send(sys, "DELETE", f"{BASE}/posts/{post['id']}", {})) == (409, "identity.roles_there")
    ended = await send(sys, "DELETE", f"{BASE}/posts/{second.json()['posts'][1]['id']}", {})
    assert ended.status_code == 204
    assert await faults(city.app.state.house) == []


@pytest.mark.norm("D-8.1.4.2a/c")
async def test_who_is_retired_is_out_at_once(city: City) -> None:
    """With the act that retires an official their session and socket end and their certificates are suspended;
    restored, they sign in again only when a certificate is resumed."""
    sys, feng = await city.signed_in("sys"), await city.signed_in("feng")
    path = f"{BASE}/officials/{city.people['feng']}/acts"
    async with live(city, feng) as socket:
        assert (await send(sys, "POST", path, {"verb": "retire"})).status_code == 200
        assert (await socket.hears())["payload"]["code"] == "identity.no_longer_an_official"
        assert await socket.is_closed() == 1008
    assert (await feng.get("/api/session")).status_code == 401
    states = {row.state for row in await Certificate.filter(official_id=city.people["feng"])}
    assert states == {"suspended"}
    assert await Responsibility.filter(official_id=city.people["feng"]).count() == 0
    assert (await Official.get(code="feng")).active is False
    (await send(sys, "POST", path, {"verb": "restore"})).raise_for_status()
    assert told(await city.browser("feng").try_sign_in()) == (403, "pki.suspended")
    assert await faults(city.app.state.house) == []


@pytest.mark.parametrize("whom", ["sec", "aud", "sys"])
async def test_administrators_are_kept_at_the_console(city: City, whom: str) -> None:
    """No administrator disarms another, or retires themselves, by click or by sheet."""
    sys = await city.signed_in("sys")
    refused = await send(sys, "POST", f"{BASE}/officials/{city.people[whom]}/acts", {"verb": "retire"})
    code = "identity.own_retirement" if whom == "sys" else "identity.kept_at_the_console"
    assert told(refused) == (403, code)
    role = (await kept(sys, city, whom))["roles"][0]["id"]
    sec = await city.signed_in("sec")
    assert told(await send(sec, "POST", f"{BASE}/roles/{role}/taking", {"reason": "x"})) == (
        403, "identity.kept_at_the_console",
    )  # fmt: skip


# --- nothing is left to nobody ----------------------------------------------------------------------------------------


async def test_work_of_who_leaves(begin: Begin) -> None:
    """What waits for an official by name keeps them from leaving, named without its title, until a successor of the organ
    takes it over; they then find it on their desk."""
    async with begin("drafted") as story:
        city = story.city
        sys = await city.signed_in("sys")
        path = f"{BASE}/officials/{city.people['wang']}/acts"
        refused = await send(sys, "POST", path, {"verb": "retire"})
        assert told(refused) == (409, "workflow.tasks_open")
        assert refused.json()["facts"]["count"] == 1
        assert "title" not in refused.json()["facts"]["tasks"][0]
        assert (await story.does("wang", "submit")).status_code == 200
        elsewhere = {"verb": "retire", "successor_id": city.people["feng"]}
        assert told(await send(sys, "POST", path, elsewhere)) == (409, "workflow.tasks_open")
        assert (
            await send(sys, "POST", path, {"verb": "retire", "successor_id": city.people["gao"]})
        ).status_code == 200
        returned = await story.does("li", "return", reason="请补充")
        assert returned.status_code == 200, returned.text
        tasks = (await (await story.desk("gao")).get("/api/tasks")).json()["items"]
        assert [task["step"] for task in tasks] == ["draft"]
        assert (await story.does("gao", "submit")).status_code == 200
        assert await faults(city.app.state.house) == []


async def test_who_is_to_sign_stays(begin: Begin) -> None:
    """Nobody is put in the place of a leader who is to sign a document: it is withdrawn first."""
    async with begin("cleared") as story:
        sys = await story.city.signed_in("sys")
        path = f"{BASE}/officials/{story.city.people['chen']}/acts"
        body = {"verb": "retire", "successor_id": story.city.people["gao"]}
        assert told(await send(sys, "POST", path, body)) == (409, "documents.signer_leaves")
        assert (await Official.get(code="chen")).active


async def test_a_role_with_work(begin: Begin) -> None:
    """The last holder of a role keeps it while work waits for it; given to another first, it is taken at once."""
    async with begin("submitted") as story:
        city = story.city
        sys, sec, li = await city.signed_in("sys"), await city.signed_in("sec"), await city.signed_in("li")
        role = (await kept(sec, city, "li"))["roles"][0]["id"]
        taking = f"{BASE}/roles/{role}/taking"
        refused = await send(sec, "POST", taking, {"reason": "免职"})
        assert (told(refused), refused.json()["facts"]["count"]) == ((409, "workflow.tasks_open"), 1)
        unit = (await kept(sec, city, "gao"))["posts"][0]["unit"]["id"]
        wanted = {"unit_id": unit, "role": "unit_head", "reason": "接任"}
        proposal = await send(sec, "POST", f"{BASE}/officials/{city.people['gao']}/roles", wanted)
        change = proposal.json()["proposed"][0]["id"]
        decision = {"ids": [change], "verb": "confirm"}
        assert (await send(sys, "POST", f"{BASE}/role-changes/acts", decision)).status_code == 200
        assert (await send(sec, "POST", taking, {"reason": "免职"})).status_code == 204
        assert (await li.get("/api/session")).json()["roles"] == []
        refused = await story.does("li", "approve")
        assert refused.status_code in {403, 404, 409}
        assert (await story.does("gao", "approve")).status_code == 200
        assert await Task.filter(official_id=city.people["li"], state="open").count() == 0
        assert await faults(city.app.state.house) == []


# --- roles take two ---------------------------------------------------------------------------------------------------


@pytest.mark.norm("D-8.1.5.3", "A-2.3.5", "A-8.2.1–8.3.2")
async def test_a_role_takes_two(city: City) -> None:
    """A role that one administrator proposed is in force with the next request after another confirmed it,
    and gone with the next request after it was taken."""
    sys, sec, wang = await city.signed_in("sys"), await city.signed_in("sec"), await city.signed_in("wang")
    unit = (await kept(sec, city, "wang"))["posts"][0]["unit"]["id"]
    wanted = {"unit_id": unit, "role": "clerk", "reason": "调岗"}
    path = f"{BASE}/officials/{city.people['wang']}/roles"
    proposed = (await send(sec, "POST", path, wanted)).json()["proposed"][0]
    assert told(await send(sec, "POST", path, wanted)) == (409, "identity.role_held")
    acts = f"{BASE}/role-changes/acts"
    confirm = {"ids": [proposed["id"]], "verb": "confirm"}
    assert told(await send(sec, "POST", acts, confirm)) == (403, "identity.own_proposal")
    assert told(await send(wang, "POST", acts, confirm)) == (403, "identity.not_role_decider")
    assert (await wang.get("/api/session")).json()["roles"] == []
    assert (await send(sys, "POST", acts, confirm)).json()["items"][0]["state"] == "confirmed"
    assert (await wang.get("/api/session")).json()["roles"] == ["clerk"]
    assert told(await send(sys, "POST", acts, confirm)) == (409, "identity.role_decided")
    held = (await kept(sec, city, "wang"))["roles"][0]["id"]
    assert (await send(sec, "POST", f"{BASE}/roles/{held}/taking", {"reason": "离岗"})).status_code == 204
    assert (await wang.get("/api/session")).json()["roles"] == []
    verbs = [row.verb for row in await AuditRecord.filter(subject_id=city.people["wang"]).order_by("id")]
    assert verbs[-3:] == [Verb.ROLE_PROPOSED, Verb.ROLE_DECIDED, Verb.ROLE_TAKEN]
    assert await faults(city.app.state.house) == []


@pytest.mark.parametrize("verb", ["refuse", "withdraw"])
async def test_a_role_that_is_not_given(city: City, verb: str) -> None:
    """A proposal is refused by another or withdrawn by its proposer, and then gives nothing."""
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    unit = (await kept(sec, city, "wang"))["posts"][0]["unit"]["id"]
    wanted = {"unit_id": unit, "role": "clerk", "reason": "调岗"}
    change = (await send(sec, "POST", f"{BASE}/officials/{city.people['wang']}/roles", wanted)).json()["proposed"][0]
    decision = {"ids": [change["id"]], "verb": verb}
    one, other = (sys, sec) if verb == "refuse" else (sec, sys)
    assert (await send(other, "POST", f"{BASE}/role-changes/acts", decision)).status_code == 403
    assert (await send(one, "POST", f"{BASE}/role-changes/acts", decision)).status_code == 200
    assert await Responsibility.filter(official_id=city.people["wang"]).count() == 0
    listed = (await sys.get(f"{BASE}/role-changes?state=pending")).json()["items"]
    assert listed == []


async def test_what_the_system_administrator_imports(city: City) -> None:
    """Roles of a sheet that the system administrator imports are proposals, which the security administrator confirms: not
    the importer, and no other system administrator."""
    header = "机关代码,部门,人员编号,姓名,职务,主要负责人,职责"
    sheet = f"{header}\nJC001,综合科,wang,王建国,科员,,核稿".encode()
    done = await import_directory(await actor_named("sys"), "表.csv", sheet)
    assert [cell.new for line in done.lines for cell in line.cells] == ["核稿（待复核）"]
    again = await import_directory(await actor_named("sys"), "表.csv", sheet)
    assert again.lines == []
    (change,) = await RoleChange.all()
    sys, sec = await city.signed_in("sys"), await city.signed_in("sec")
    decision = {"ids": [str(change.id)], "verb": "confirm"}
    assert told(await send(sys, "POST", f"{BASE}/role-changes/acts", decision)) == (403, "identity.own_proposal")
    assert (await send(sec, "POST", f"{BASE}/role-changes/acts", decision)).status_code == 200
    assert await access.roles_of((await Official.get(code="wang")).id, (await Organ.get(code="JC001")).id)


async def test_no_role_for_an_administrator(city: City) -> None:
    """An administrator gets no business role, and nobody becomes an administrator by click."""
    sec = await city.signed_in("sec")
    for person, role, code in (
        ("aud", "clerk", "identity.one_admin_role"),
        ("wang", "audit_admin", "identity.admins_at_the_console"),
    ):
        unit = (await kept(sec, city, person))["posts"][0]["unit"]["id"]
        wanted = {"unit_id": unit, "role": role, "reason": "调岗"}
        path = f"{BASE}/officials/{city.people[person]}/roles"
        assert told(await send(sec, "POST", path, wanted)) == (403, code)
