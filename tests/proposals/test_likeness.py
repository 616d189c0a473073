"""Which proposals are alike, and why."""

from __future__ import annotations

from oa_server.core.actor import SYSTEM
from oa_server.identity.importing import import_directory
from oa_server.proposals import likeness
from oa_server.proposals.likeness import Text
from tests.proposals.assembly import TEXT, Assembly

PARKING = Text(
    "关于加强老旧小区停车管理的建议", "老旧小区停车位严重不足，消防通道时有占用。利用边角地块建设立体停车设施。"
)
SAME = Text(
    "关于缓解小区停车难问题的建议", "不少老旧小区停车位严重不足，车辆乱停，占用消防通道。建议错时开放机关停车场。"
)
OTHER = Text("关于推进乡村小学营养午餐的提案", "山区小学食堂条件差，学生午餐质量不高。建议财政补助食材配送。")


def score(one: Text, other: Text) -> float:
    return likeness.likeness(likeness.weights(one), likeness.weights(other), {})


def test_the_same_matter_in_other_words_is_alike() -> None:
    """Two texts on one matter are far more alike than two on different ones, whatever phrases all proposals have."""
    assert score(PARKING, SAME) > 0.3
    assert score(PARKING, OTHER) < 0.05
    assert abs(score(PARKING, PARKING) - 1) < 1e-9


def test_why_is_told_in_their_own_words() -> None:
    """What both say is shown in phrases that stand in both, the longest first, and none within another."""
    phrases = likeness.shared(PARKING.body, SAME.body)
    assert phrases[0] == "老旧小区停车位严重不足"
    assert "消防通道" in phrases
    assert all(phrase in PARKING.body and phrase in SAME.body for phrase in phrases)
    assert likeness.shared(PARKING.body, OTHER.body) == []


def test_words_of_every_proposal_stand_for_none() -> None:
    """The forms of the genre are no terms; a text without any others has none."""
    assert likeness.terms(Text("关于进一步加强管理工作的建议", "")) == []
    assert "停车" in likeness.terms(PARKING)
    assert len(likeness.terms(PARKING)) <= likeness.TERMS


def test_whose_business_a_text_is() -> None:
    """A text touches on what an organ answers for where it has its words, the nearest first; not where it has a common one."""
    remits = ["停车设施与停车秩序", "消防通道", "公共交通设施", "农村公路建设养护"]
    touched = likeness.touched(Text("关于规范小区停车、清理消防通道的建议", PARKING.body), remits)
    assert [one.remit for one in touched] == ["消防通道", "停车设施与停车秩序"]
    assert [one.shared for one in touched] == [["消防通道"], ["停车设施"]]
    assert likeness.touched(Text("关于加强管理工作的建议", ""), remits) == []
    assert likeness.touched(PARKING, []) == []


async def test_found_while_registering_and_while_entering(assembly: Assembly) -> None:
    """The clerk sees which case is like the one before them, why, and which organ led it, then which answer for such things; so
    does who is still writing."""
    remits = "机关代码,主要职责\nJC003,停车设施与停车秩序\nJC003,小区停车管理\nJC002,财政补助资金\nJC001,停车位\n"
    await import_directory(SYSTEM, "主要职责.csv", remits.encode())
    path = await assembly.filed()
    await assembly.dispatched(path, JC002="lead")
    await assembly.filed(
        title=OTHER.title.replace("提案", "建议"), situation=OTHER.body, analysis="食堂", request="补助食材"
    )
    drafted = await assembly.drafts(
        "lin", ["D003"], form="individual", title=SAME.title, situation=SAME.body, analysis="乱", request="改"
    )
    lin = await assembly.desk("lin")
    case = drafted.json()["id"]
    found = (await lin.send("POST", "/api/proposals/alike", json={"proposal_id": case})).json()
    assert [one["id"] for one in found["items"]] == [path.rpartition("/")[2]]
    assert found["items"][0]["likeness"] > 0.3
    assert "严重不足" in "".join(found["items"][0]["shared"])
    hints = [(one["organ"]["name"], one["share"]) for one in found["suggested"]]
    assert hints == [("市财政局", 1.0), ("市教育局", 0), ("市政府办公室", 0)]
    assert found["suggested"][2]["remits"] == [{"text": "停车位", "shared": ["停车位"]}]
    assert [one["text"] for one in found["suggested"][1]["remits"]] == ["小区停车管理", "停车设施与停车秩序"]
    assert [(one["sitting"], one["count"]) for one in found["suggested"][0]["led"]] == [
        (found["items"][0]["sitting"], 1)
    ]
    writing = {"title": SAME.title, "request": TEXT["request"]}
    dai = await assembly.desk("dai")
    seen = (await dai.send("POST", "/api/proposals/alike", json=writing)).json()["items"]
    assert seen[0]["case_no"]
    assert (found["items"][0]["may_open"], seen[0]["may_open"]) == (True, False)
    assert (await dai.send("GET", path)).status_code == 404


async def test_who_writes_a_case_anew_is_not_shown_that_case(assembly: Assembly) -> None:
    """What came back to be changed is not like itself; what is being typed counts, and not what was handed in before."""
    lunch = {"title": OTHER.title.replace("提案", "建议"), "situation": OTHER.body}
    path = await assembly.filed(**lunch, analysis="食堂", request="补助食材")
    drafted = await assembly.drafts("lin", ["D003"], form="individual")
    own = f"/api/proposals/{drafted.json()['id']}"
    await assembly.done("lin", "submit", own, paper=True)
    await assembly.done("lin", "register", own)
    await assembly.done("ma", "return", own, reason="请改为一事一案。")
    lin = await assembly.desk("lin")
    found = await lin.send("POST", "/api/proposals/alike", json=lunch | {"proposal_id": drafted.json()["id"]})
    assert [one["id"] for one in found.json()["items"]] == [path.rpartition("/")[2]]
    as_it_stands = await lin.send("POST", "/api/proposals/alike", json={"proposal_id": drafted.json()["id"]})
    assert as_it_stands.json() == {"items": [], "suggested": []}


async def test_what_is_kept_from_the_public_is_not_shown_to_others(assembly: Assembly) -> None:
    """A deputy learns nothing of a case that is not theirs and not public; nobody of drafts."""
    await assembly.filed(is_public=False)
    await assembly.drafts("lin", ["D003"], form="individual", title=SAME.title)
    dai = await assembly.desk("dai")
    found = await dai.send("POST", "/api/proposals/alike", json={"title": PARKING.title, "situation": PARKING.body})
    assert found.json() == {"items": [], "suggested": []}


async def test_an_empty_text_is_like_nothing(assembly: Assembly) -> None:
    """A text that says nothing yet is like nothing."""
    dai = await assembly.desk("dai")
    assert (await dai.send("POST", "/api/proposals/alike", json={})).json()["items"] == []
