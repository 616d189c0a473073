"""What everybody who signs in may read of proposals, and what of them stays among those who have to do with it."""

from __future__ import annotations

from typing import Any

import pytest

from oa_server.documents.models import OutgoingDocument
from tests.proposals.assembly import TEXT, Assembly
from tests.proposals.test_answering import POINTS, prepared

PLACE = "/api/proposals/published"
# What nobody reads there of a proposer.
PHONE, ADDRESS, EMPLOYER, PARTY = "13900000000", "江城市解放路8号", "江城市第一中学", "中国民主促进会"
SAID = {"result": "A", "publicity_ground": "涉及尚未公布的规划"}


async def listed(assembly: Assembly, person: str = "bai", **query: str) -> list[str]:
    """The titles that somebody finds among what is public, the newest first."""
    answer = await (await assembly.desk(person)).get(PLACE, params=query)
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["items"]]


async def read(assembly: Assembly, path: str, person: str = "bai") -> dict[str, Any] | None:
    """A case as the public reads it; None when it is not public."""
    answer = await (await assembly.desk(person)).get(f"{PLACE}/{path.rpartition('/')[2]}")
    assert answer.status_code in {200, 404}, answer.text
    return dict(answer.json()) if answer.status_code == 200 else None


async def not_public(assembly: Assembly) -> dict[str, str]:
    """The paths of what is kept from the public, by their titles: by its proposer, or because it was never filed."""
    registered = await assembly.drafts("lin", ["D003"], form="individual", title="未立案的建议")
    rejected = await assembly.drafts("lin", ["D003"], form="individual", title="不予立案的建议")
    withdrawn = await assembly.drafts("dai", ["D001"], form="individual", title="已撤案的建议")
    merged = await assembly.drafts("lin", ["D003"], form="individual", title="并入未立案的建议")
    drafts = [registered, rejected, withdrawn, merged]
    paths = {one.json()["elements"]["title"]: f"/api/proposals/{one.json()['id']}" for one in drafts}
    for title, path in paths.items():
        of_paper = "撤案" not in title
        await assembly.done("lin" if of_paper else "dai", "submit", path, paper=of_paper)
        await assembly.done("lin", "register", path)
    said = {"code": "private", "forwarding": "none"}
    await assembly.done("ma", "review", paths["不予立案的建议"], opinion="属于个人问题")
    await assembly.done("song", "reject", paths["不予立案的建议"], parameters=said, reason="请按信访渠道反映。")
    await assembly.done("dai", "withdraw", paths["已撤案的建议"])
    into = {"into": paths["未立案的建议"].rpartition("/")[2]}
    await assembly.done("ma", "merge", paths["并入未立案的建议"], parameters=into)
    paths["不宜公开的建议"] = await assembly.filed(title="不宜公开的建议", is_public=False)
    return paths


async def test_texts(assembly: Assembly) -> None:
    """Whoever signs in reads what was filed and may be public, and finds it by matter, number, proposer and organ. What was not
    filed, or is kept from the public, is not there; nothing tells how to reach a proposer or where they work."""
    lin, bai = await assembly.desk("lin"), await assembly.desk("bai")
    member = {"code": "D003", "name": "何平安", "address": ADDRESS, "employer": EMPLOYER, "party": PARTY}
    kept = await lin.send("PUT", f"/api/sittings/{assembly.sitting}/members", json={"members": [member]})
    assert kept.status_code == 200, kept.text
    parking = await assembly.filed(category="城乡建设")
    await assembly.filed(title="关于校园周边交通的建议", category="教育")
    hidden = await not_public(assembly)
    await assembly.dispatched(parking, JC002="lead", JC003="cohandler")
    both = ["关于校园周边交通的建议", "关于加强老旧小区停车管理的建议"]
    for person in ("bai", "wu", "dai", "sys"):
        assert await listed(assembly, person) == both, person
    assert await listed(assembly, sort="oldest") == both[::-1]
    assert await listed(assembly, q="校园") == await listed(assembly, category="教育") == both[:1]
    assert await listed(assembly, q="建-0001") == await listed(assembly, organ_id=assembly.organs["JC003"]) == both[1:]
    assert await listed(assembly, q="何平安") == await listed(assembly, sitting_id=assembly.sitting) == both
    assert await listed(assembly, q="撤案") == await listed(assembly, q="戴维") == []
    first = (await bai.get(PLACE, params={"limit": 1})).json()
    assert await listed(assembly, limit="1", cursor=first["next"]) == both[1:]
    for title, path in hidden.items():
        assert await read(assembly, path) is None, title
    case = await read(assembly, parking)
    assert case is not None
    assert {part: case[part] for part in TEXT} == TEXT
    assert case["proposers"] == [{"name": "何平安", "delegation": "城东代表团"}]
    assert [(one["organ"], one["role_title"]) for one in case["handlers"]] == [
        ("市财政局", "主办"),
        ("市教育局", "协办"),
    ]
    assert (case["is_answered"], case["replies"]) == (False, [])
    assert (await bai.get(parking)).status_code == 404
    sheet = await bai.get(f"{PLACE}.csv", params={"q": "停车"})
    assert [line.split(",")[2] for line in sheet.text.splitlines()] == ["案由", both[1]]
    for answer in (await bai.get(PLACE), await bai.get(f"{PLACE}/{parking.rpartition('/')[2]}"), sheet):
        assert not [one for one in (PHONE, ADDRESS, EMPLOYER, PARTY) if one in answer.text]
    assert (await assembly.city.browser("feng").http.get(PLACE)).status_code == 401


@pytest.mark.timeout(240)
async def test_replies(assembly: Assembly) -> None:
    """Once a reply has passed the public has its sealed pages when it is public in full, of a summary its number, title and class,
    and nothing of one that is closed; what was merged shows the reply that answers it."""
    merged = await assembly.filed(title="关于小区停车难的建议")
    bai, zhou = await assembly.desk("bai"), await assembly.desk("zhou")

    async def pages(path: str, document: str) -> bytes | None:
        answer = await bai.get(f"{PLACE}/{path.rpartition('/')[2]}/replies/{document}/pages.pdf")
        return answer.content if answer.status_code == 200 else None

    for publicity in ("full", "summary", "closed"):
        path = await assembly.filed(title=f"关于停车管理的建议（{publicity}）")
        if publicity == "full":
            await assembly.done("ma", "merge", merged, parameters={"into": path.rpartition("/")[2]})
        given = await assembly.dispatched(path, JC002="lead")
        await assembly.done("zhou", "accept", given["JC002"])
        await prepared(assembly, path, given, points=POINTS)
        if publicity == "full":
            await prepared(assembly, merged, given, points=POINTS)
        document = await assembly.sealed_reply(f"关于停车管理建议（{publicity}）的答复函")
        reply = SAID | {"document_id": document, "publicity": publicity}
        await assembly.done("zhou", "reply", given["JC002"], parameters=reply)
        before = await read(assembly, path)
        assert before is not None
        assert (before["is_answered"], before["replies"]) == (False, []), publicity
        assert await pages(path, document) is None
        await assembly.done("zhao", "pass", given["JC002"])
        after = await read(assembly, path)
        assert after is not None
        assert after["is_answered"]
        shown = [(one["document_id"], one["publicity"], one["result"], one["organ"]) for one in after["replies"]]
        assert shown == ([] if publicity == "closed" else [(document, publicity, "A", "江城市财政局")])
        sealed = (await zhou.get(f"/api/documents/{document}/pages.pdf")).content
        assert await pages(path, document) == (sealed if publicity == "full" else None)
        if publicity == "full":
            child = await read(assembly, merged)
            assert child is not None
            assert [one["document_id"] for one in child["replies"]] == [document]
            assert child["merged_into"]["name"].endswith("（full）")
            assert await pages(merged, document) == sealed
            await OutgoingDocument.filter(id=document).update(classification="internal")
            assert (await read(assembly, path) or {})["replies"] == []
            assert await pages(path, document) is None
