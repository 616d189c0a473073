"""A request that is sent twice because the first answer was lost."""

from __future__ import annotations

from tests.city import BODY, City
from tests.identity.system import System, let_in


async def test_same_key_same_answer(city: City) -> None:
    """The same request with the same key drafts one document and gives the same answer."""
    wang = await city.signed_in("wang")
    draft = {"elements": city.elements(), "body": BODY}
    answers = [
        await wang.send("POST", "/api/documents", json=draft, headers={"Idempotency-Key": "k-1"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert len((await wang.get("/api/documents")).json()["items"]) == 1


async def test_same_key_other_request(city: City) -> None:
    """The same key with another request is refused and drafts nothing."""
    wang = await city.signed_in("wang")
    headers = {"Idempotency-Key": "k-1"}
    await wang.send("POST", "/api/documents", json={"elements": city.elements(), "body": BODY}, headers=headers)
    other = {"elements": city.elements(title="江城市人民政府办公室关于另一事项的通知"), "body": BODY}
    refused = await wang.send("POST", "/api/documents", json=other, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "storage.key_reused")
    assert len((await wang.get("/api/documents")).json()["items"]) == 1


async def test_a_refused_request_keeps_nothing(city: City) -> None:
    """A request that was refused leaves its key free for the corrected one."""
    wang = await city.signed_in("wang")
    headers = {"Idempotency-Key": "k-1"}
    above = {"elements": city.elements(classification="secret"), "body": BODY}
    assert (await wang.send("POST", "/api/documents", json=above, headers=headers)).status_code == 422
    fine = {"elements": city.elements(), "body": BODY}
    assert (await wang.send("POST", "/api/documents", json=fine, headers=headers)).status_code == 201


async def test_a_system_asks_again(city: City) -> None:
    """What a system's write is answered the second time has the head of the first answer too, with and without a body."""
    system = System(city)
    await let_in(system)
    await system.sign_in()
    drafted = await system.send("POST", "/documents", json={"elements": city.elements(), "body": BODY})
    path = f"/documents/{drafted.json()['id']}"
    act, read = {"json": {"verb": "submit"}}, {"If-Match": drafted.headers["etag"]}
    file = {"name": "附件.txt", "size": 3, "subject_type": "outgoing", "subject_id": drafted.json()["id"]}
    held = (await system.send("POST", "/files", json=file)).json()["id"]
    for method, where, options in (("DELETE", f"/files/{held}", {}), ("POST", f"{path}/acts", act)):
        twice = [await system.send(method, where, key="k-1" + method, headers=read, **options) for _ in range(2)]
        first, again = [{name: one.headers.get(name) for name in ("etag", "content-type")} for one in twice]
        assert first == again
        assert twice[0].is_success
        assert (twice[0].status_code, twice[0].content) == (twice[1].status_code, twice[1].content)
