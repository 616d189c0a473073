"""The main job: a document goes from one organ to another, sealed, and comes back as a signed receipt."""

from __future__ import annotations

from oa_server.audit import actions as audit
from oa_server.verification import all_faults
from tests.city import BODY, City


async def test_from_draft_to_receipt(city: City) -> None:
    """A notice is drafted, reviewed, signed, numbered, sealed, sent, signed for, handled and closed."""
    wang, li, zhao, chen = [await city.signed_in(p) for p in ("wang", "li", "zhao", "chen")]
    sun, qian, zhou, wu, zheng, feng = [await city.signed_in(p) for p in ("sun", "qian", "zhou", "wu", "zheng", "feng")]
    drafted = await wang.send("POST", "/api/documents", json={"elements": city.elements(), "body": BODY})
    assert drafted.status_code == 201, drafted.text
    path = f"/api/documents/{drafted.json()['id']}"

    assert (await wang.act(path, "submit")).status_code == 200
    assert [t["step"] for t in (await li.get("/api/tasks")).json()["items"]] == ["unit_review"]
    for person, verb in ((li, "approve"), (zhao, "approve"), (chen, "sign")):
        done = await person.sign(path, verb, opinion="同意")
        assert done.status_code == 200, done.text
    assert done.json()["state"] == "signed"

    numbered = await sun.act(path, "number")
    assert numbered.status_code == 200, numbered.text
    assert (numbered.json()["state"], numbered.json()["doc_no"]) == ("frozen", "江政办发〔2026〕1号")
    sealed = await qian.sign(path, "seal", usage="seal")
    assert sealed.status_code == 200, sealed.text
    sent = await sun.sign(path, "dispatch")
    assert sent.status_code == 200, sent.text

    arrived = (await zhou.get("/api/incoming")).json()["items"]
    assert [(row["state"], row["doc_no"]) for row in arrived] == [("arrived", "江政办发〔2026〕1号")]
    incoming = f"/api/incoming/{arrived[0]['id']}"
    assert (await zhou.sign(incoming, "sign_for")).json()["state"] == "signed_for"
    registered = (await zhou.act(incoming, "register")).json()
    assert registered["receive_no"] == "2026-0001"
    proposed = await zhou.act(
        incoming, "propose", opinion="拟请吴局长批示", parameters={"leader_id": city.people["wu"]}
    )
    assert proposed.status_code == 200, proposed.text
    assert (await wu.sign(incoming, "instruct", opinion="请预算科抓紧办理")).status_code == 200
    units = (await zhou.get(f"/api/organs/{city.organs['JC002']}")).json()["units"]
    budget = next(unit["id"] for unit in units if unit["name"] == "预算科")
    assert (await zhou.act(incoming, "assign", parameters={"unit_id": budget})).status_code == 200
    assert (await zheng.sign(incoming, "finish", opinion="已按要求办结")).status_code == 200
    closed = await zhou.act(incoming, "close", opinion="已办结")
    assert closed.json()["state"] == "closed", closed.text

    other = (await feng.get("/api/incoming")).json()["items"][0]
    refused = await feng.sign(
        f"/api/incoming/{other['id']}", "refuse", reason="本件与我局无关", parameters={"code": "not_addressee"}
    )
    assert refused.json()["state"] == "refused", refused.text
    board = (await sun.get(f"{path}/consignments")).json()
    assert board["counts"] == {"total": 2, "closed": 1, "refused": 1}
    assert (await sun.act(path, "close")).json()["state"] == "closed"

    pdf = (await zhou.get(f"{incoming}/pages.pdf")).content
    report = (await zhou.send("POST", "/api/verify", content=pdf, headers={"Content-Type": "application/pdf"})).json()
    assert report["verdict"] == "valid", report
    assert report["known_document"]["doc_no"] == "江政办发〔2026〕1号"
    assert [o["actor"] for o in report["opinions"]] == ["李红", "赵明", "陈志远"]

    while await audit.sequence():
        pass
    assert [fault async for fault in all_faults(city.app.state.house)] == []
