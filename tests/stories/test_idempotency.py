"""A request that is sent twice because the first answer was lost."""

from __future__ import annotations

from tests.city import BODY, City


async def test_same_key_same_answer(city: City) -> None:
    """The same request with the same key drafts one document and gives the same answer."""
    wang = await city.signed_in("wang")
    draft = {"elements": city.elements(), "body": BODY}
    answers = [
        await wang.send("POST", "/api/documents", json=draft, headers={"Idempotency-Key": "k-1"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
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
