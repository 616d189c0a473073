"""One suggestion of a deputy by clicking: from the draft through many hands and two rounds to the last judgement, in real
Chromium, with keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from oa_server.settings import Settings
from tests.conftest import Founded, running
from tests.desk import Desk, office, processes
from tests.proposals.assembly import TEXT, Sittings, gathered

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TITLE = "关于加强老旧小区停车管理的建议"
REPLIES = ("关于老旧小区停车管理建议的答复函", "关于老旧小区停车管理建议的再次答复函")
LEAD, OWN, EDUCATION, TRANSPORT = "江城市财政局", "江城市人民政府办公室", "江城市教育局", "江城市交通运输局"
FORMER = "关于缓解老旧小区停车难的建议"  # of another deputy, which the transport bureau leads
PROPOSERS = ("戴维", "邱红", "何平安")
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """The city with its congress, of this test's own, where a case like ours was given out; the finance bureau has sealed its two
    letters."""
    congress = await Sittings(tmp_path / "congress").reached(founded_embedded)
    found = office(congress, tmp_path / "var")
    async with running(found) as city:
        assembly = await gathered(city)
        await assembly.dispatched(await assembly.filed(title=FORMER), JC011="lead")
        for title in REPLIES:
            await assembly.sealed_reply(title)
    return found


@dataclass
class Cast:
    """Everybody before their screen, each signed in when they are first needed."""

    browser: Browser
    settings: Settings
    desks: dict[str, Desk] = field(default_factory=dict)

    async def desk(self, person: str) -> Desk:
        """Somebody's desk, the case before them."""
        if person not in self.desks:
            desk = self.desks[person] = await Desk.open(self.browser, self.settings, person)
            await desk.one("nav-proposals").click()
            await desk.one("open-proposal").filter(has_text=TITLE).click()
            await desk.one("state").wait_for()
        return self.desks[person]


async def does(desk: Desk, verb: str, *, signed: bool = False, on: Locator | None = None, **fields: str) -> None:
    """A verb of the case or, `on` a card, of an assignment, with what its form asks for: text, or the words of a choice."""
    await (on.get_by_test_id(f"act-{verb}") if on else desk.one(f"act-{verb}")).click()
    dialog = desk.one("act-dialog")
    for name, value in fields.items():
        place = dialog.get_by_test_id(f"act-{name}")
        if await place.evaluate("(one) => ['INPUT', 'TEXTAREA'].includes(one.tagName) && !one.closest('.el-select')"):
            await place.fill(value)
        else:
            await choose(desk, place, value)
    await confirm(desk, signed=signed)


async def choose(desk: Desk, place: Locator, word: str) -> None:
    """Open a choice and take the option with this word; the list has gone again afterwards."""
    await place.click()
    await desk.page.get_by_role("option", name=word).locator("visible=true").click()
    await expect(desk.page.get_by_role("option").locator("visible=true")).to_have_count(0)


async def confirm(desk: Desk, *, signed: bool = False) -> None:
    """Do what the open dialog is about; it is gone when it is done."""
    click = desk.one("act-confirm").click()
    await (desk.with_pin(click) if signed else click)
    await expect(desk.one("act-confirm")).to_have_count(0)


def card(desk: Desk, organ: str) -> Locator:
    """What an organ has been given, as a page shows it."""
    return desk.page.locator(f'[data-test="assignment"][data-organ="{organ}"]:visible')


async def test_one_suggestion_by_clicking(settings: Settings, browser: Browser) -> None:
    """Drafted, co-signed, filed, given out, returned, handled, answered, not liked, answered again and judged."""
    cast = Cast(browser, settings)
    with processes(settings):
        await draft(cast)
        await stand_behind(cast)
        await file(cast)
        await give_out(cast)
        await return_one(cast)
        await accept(cast)
        await prepare_the_reply(cast)
        await answer(cast, REPLIES[0])
        await judge_first(cast)
        await talk_with_everybody(cast)
        await answer(cast, REPLIES[1])
        await judge_again(cast)
        await read_in_public(cast)
        assert [fault for desk in cast.desks.values() for fault in desk.faults] == []


# --- a deputy writes, others stand behind it ----------------------------------------------------------------------------


async def draft(cast: Cast) -> None:
    """On a telephone; what was not saved is still there when the page is opened again, and then it is saved."""
    dai = cast.desks["戴维"] = await Desk.open(cast.browser, cast.settings, "戴维")
    await dai.one("nav-proposals").click()
    await dai.one("state-empty").wait_for()
    await dai.accessible()
    await dai.page.set_viewport_size(PHONE)
    await dai.one("new-draft").click()
    await dai.one("draft-title").fill(TITLE)
    await dai.one("draft-category").fill("城乡建设")
    for part, text in TEXT.items():
        await dai.one(f"draft-{part}").fill(text)
    await expect(dai.one("draft-status")).to_have_attribute("data-changed", "true")
    await expect(dai.one("alike")).to_contain_text(FORMER)
    await expect(dai.one("open-alike")).to_have_count(0)  # It is another deputy's.
    await dai.page.reload()
    await expect(dai.one("restored")).to_be_visible()
    await expect(dai.one("draft-request")).to_have_value(TEXT["request"])
    for name in PROPOSERS[1:]:
        await dai.one("member-search").fill(name)
        await dai.one("member-option").filter(has_text=name).click()
    await expect(dai.one("chosen-member")).to_have_count(len(PROPOSERS))
    await dai.accessible()
    await dai.one("draft-save").click()
    await expect(dai.one("draft-status")).to_have_attribute("data-changed", "false")
    await dai.one("draft-leave").click()
    await dai.page.set_viewport_size({"width": 1440, "height": 900})
    await does(dai, "invite")
    await dai.state("征集附议")


async def stand_behind(cast: Cast) -> None:
    """One co-signer signs with a certificate, the clerk has the other's paper, and the lead hands it in."""
    dai, qiu, lin = [await cast.desk(person) for person in ("戴维", "邱红", "林芳")]
    await expect(qiu.page.locator(".case-text")).to_contain_text("错时开放机关单位停车场")
    await does(qiu, "consent", signed=True)
    await lin.one("act-record_paper").click()
    await lin.one("act-tick-members").check()
    await confirm(lin)
    await dai.one("tab-proposers").click()
    await expect(dai.one("proposer").locator("nth=1")).to_have_attribute("data-consent", "signed")
    await expect(dai.one("proposer").locator("nth=2")).to_have_attribute("data-consent", "paper")
    await dai.accessible()
    await does(dai, "submit", signed=True)
    await dai.state("待登记")


async def file(cast: Cast) -> None:
    """Looked at beside what is like it, registered with its number, reviewed, and filed once every point is confirmed."""
    lin, ma, song = [await cast.desk(person) for person in ("林芳", "马骏", "宋岩")]
    await lin.one("tab-alike").click()
    await lin.accessible()
    await lin.one("open-alike").filter(has_text=FORMER).click()
    await lin.state("已交办")
    await lin.page.go_back()
    await lin.state("待登记")
    await does(lin, "register")
    await expect(lin.one("case-no")).to_have_text("2026-15-4-建-0002")
    await does(ma, "review", opinion="一事一案，内容具体，建议立案。")
    await song.one("act-file").click()
    ticks = song.one("act-tick-checklist")
    await expect(ticks).to_have_count(4)
    await expect(song.one("act-confirm")).to_be_disabled()
    for index in range(4):
        await ticks.nth(index).check()
    await song.accessible()
    await confirm(song)
    await song.state("已立案")
    await expect(song.one("stage-dispatch")).to_have_attribute("data-state", "current")


# --- organs are given it ------------------------------------------------------------------------------------------------


async def give_out(cast: Cast) -> None:
    """On the board: the lead that is suggested, then another by the toolbar, the co-handlers by dragging; nothing is sent
    before the button."""
    sun = await cast.desk("孙丽")
    await sun.one("nav-proposals").click()
    await sun.one("open-board").click()
    case = sun.one("board-case")
    await expect(sun.one("organ-hint")).to_contain_text("建议主办：市交通局本次会议1件相似件由其主办")
    await sun.one("take-organ").click()
    await expect(sun.one("board-given")).to_have_text("主办市交通局 ×")
    await sun.one("board-tick").check()
    await choose(sun, sun.one("board-organ"), "市财政局")
    await sun.one("board-give").click()
    await sun.one("board-tick").uncheck()
    await sun.one("board-role").get_by_text("协办").click()
    for organ in ("市政府办公室", "市教育局"):
        await case.drag_to(sun.page.locator(f'[data-test="board-target"][data-organ="{organ}"]'))
    await expect(sun.one("board-given")).to_have_text(["主办市财政局 ×", "协办市政府办公室 ×", "协办市教育局 ×"])
    await expect(case).to_have_attribute("data-readiness", "ready")
    await sun.accessible()
    await sun.one("board-send").click()
    await sun.page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await sun.one("state-empty").wait_for()
    await sun.one("nav-proposals").click()
    await sun.one("open-proposal").filter(has_text=TITLE).click()
    await sun.state("已交办")


async def return_one(cast: Cast) -> None:
    """The education bureau returns it, naming another organ; the government office gives it on."""
    sun, feng = [await cast.desk(person) for person in ("孙丽", "冯静")]
    await does(feng, "return", on=card(feng, EDUCATION), organ_id=TRANSPORT, reason="停车管理不属于我局职责。")
    await expect(card(sun, EDUCATION)).to_have_attribute("data-state", "return_requested")
    await does(sun, "reassign", on=card(sun, EDUCATION))
    await expect(card(sun, TRANSPORT)).to_have_attribute("data-state", "pending")
    await expect(card(sun, EDUCATION)).to_have_count(0)
    await sun.one("superseded").click()
    await expect(card(sun, EDUCATION)).to_contain_text("停车管理不属于我局职责。")


async def accept(cast: Cast) -> None:
    """Each organ signs for it, from its list of assignments; a clock explains itself day by day."""
    sun, bai = [await cast.desk(person) for person in ("孙丽", "白雪")]
    zhou = cast.desks["周敏"] = await Desk.open(cast.browser, cast.settings, "周敏")
    await zhou.one("nav-assignments").click()
    await zhou.accessible()
    await zhou.one("open-assignment").click()
    own = card(zhou, LEAD)
    await does(zhou, "accept", on=own, liaison="周敏", liaison_phone="83210000")
    await expect(own).to_contain_text("83210000")
    await does(sun, "accept", on=card(sun, OWN))
    await does(bai, "accept", on=card(bai, TRANSPORT))
    await zhou.state("办理中")
    await own.get_by_test_id("clock").click()
    await expect(zhou.one("clock-term")).to_contain_text("3个月")
    await zhou.accessible()
    await zhou.page.keyboard.press("Escape")
    await expect(zhou.one("clock-term")).to_have_count(0)


async def prepare_the_reply(cast: Cast) -> None:
    """Leaders of the co-handlers sign opinions; the lead's clerk speaks with everybody and lists the points."""
    zhou = await cast.desk("周敏")
    for leader, organ in (("陈志远", OWN), ("石磊", TRANSPORT)):
        desk = await cast.desk(leader)
        await does(desk, "give_opinion", signed=True, on=card(desk, organ), opinion=f"{organ}同意支持停车设施建设。")
        await expect(card(zhou, organ).get_by_test_id("cohandler-opinion")).to_contain_text(organ)
    await talk_with_everybody(cast)
    await card(zhou, LEAD).get_by_test_id("act-set_points").click()
    await zhou.one("point-add").click()
    for index, text in enumerate(("利用边角地块建设立体停车设施", "错时开放机关单位停车场")):
        point = zhou.one("point-edit").nth(index)
        await point.get_by_test_id("point-text").fill(text)
        await choose(zhou, point.get_by_test_id("point-result"), "A类")
        await point.get_by_test_id("point-measure").fill("已经落实。")
        await point.get_by_test_id("point-owner").fill("郑华")
    await zhou.accessible()
    await confirm(zhou)
    await expect(card(zhou, LEAD).get_by_test_id("point")).to_have_count(2)


async def talk_with_everybody(cast: Cast) -> None:
    """Every proposer is spoken with, in each round anew."""
    zhou = await cast.desk("周敏")
    before = await card(zhou, LEAD).get_by_test_id("contact").count()
    for done, name in enumerate(PROPOSERS, 1):
        await card(zhou, LEAD).get_by_test_id("act-record_contact").click()
        await choose(zhou, zhou.one("act-proposer_id"), name)
        await zhou.one("act-form").get_by_text("走访").click()
        await zhou.one("act-summary").fill(f"走访{name}，介绍了办理情况，听取了意见。")
        await confirm(zhou)
        await expect(card(zhou, LEAD).get_by_test_id("contact")).to_have_count(before + done)


# --- it is answered, and judged -----------------------------------------------------------------------------------------


async def answer(cast: Cast, title: str) -> None:
    """The sealed letter is put before oversight, which passes it; the proposers are asked."""
    zhou, zhao = [await cast.desk(person) for person in ("周敏", "赵明")]
    await card(zhou, LEAD).get_by_test_id("act-reply").click()
    await zhou.one("document-search").fill(title)
    await zhou.one("document-option").filter(has_text=title).click()
    await choose(zhou, zhou.one("act-result"), "A类")
    await confirm(zhou)
    await expect(card(zhao, LEAD)).to_have_attribute("data-state", "reply_ready")
    await does(zhao, "pass", on=card(zhao, LEAD))
    await zhou.state("已答复")


async def judge(desk: Desk, result: str, text: str = "") -> None:
    """Fill in the form of a judgement."""
    await desk.one(f"judge-result-{result}").click()
    for axis in ("attitude", "contact"):
        await desk.one(f"judge-{axis}-satisfied").click()
    await desk.one("judge-text").fill(text)


async def judge_signed(cast: Cast, person: str, result: str, text: str = "") -> None:
    """A proposer's judgement with the own certificate."""
    desk = await cast.desk(person)
    await desk.one("act-judge").click()
    await judge(desk, result)
    if text:
        await expect(desk.one("act-confirm")).to_be_disabled()
        await desk.one("judge-text").fill(text)
    await confirm(desk, signed=True)
    await expect(desk.one("act-judge")).to_have_count(0)


async def judge_first(cast: Cast) -> None:
    """The lead is not satisfied and says why, another is; the third judges with a code, on a telephone, without an account."""
    await judge_signed(cast, "戴维", "unsatisfied", "消防通道仍被占用。")
    await judge_signed(cast, "邱红", "satisfied")
    lin = await cast.desk("林芳")
    await lin.one("tab-feedback").click()
    await expect(lin.one("hand-over-code")).to_have_count(1)  # The page has heard of the other two.
    await lin.one("hand-over-code").click()
    code = await lin.one("code").inner_text()
    await lin.accessible()
    await lin.one("code-close").click()
    await judge_by_code(cast, code)
    await lin.state("二次办理")
    await expect(lin.one("feedback").filter(has_text="戴维")).to_contain_text("消防通道仍被占用。")


async def judge_by_code(cast: Cast, code: str) -> None:
    """A wrong code is refused, the right one is good once."""
    anybody = await Desk.at(cast.browser, cast.settings)
    cast.desks["anybody"] = anybody
    await anybody.page.set_viewport_size(PHONE)
    await anybody.one("to-judge").click()
    await anybody.one("judge-code").fill("AAAA-BBBB-CCCC")
    await anybody.one("judge-next").click()
    await expect(anybody.one("judge-problem")).to_contain_text("评价码不正确")
    await anybody.one("judge-code").fill(code)
    await anybody.one("judge-next").click()
    await expect(anybody.one("judge-about")).to_contain_text("何平安")
    await judge(anybody, "satisfied")
    await anybody.accessible()
    await anybody.one("judge-send").click()
    await anybody.one("judge-thanks").wait_for()
    await anybody.one("judge-again").click()
    await anybody.one("judge-code").fill(code)
    await anybody.one("judge-next").click()
    await expect(anybody.one("judge-problem")).to_be_visible()


async def judge_again(cast: Cast) -> None:
    """All are satisfied now; what one says on paper counts once a second clerk has confirmed it. The case is closed."""
    await judge_signed(cast, "戴维", "satisfied")
    await judge_signed(cast, "邱红", "mostly")
    lin, tang = [await cast.desk(person) for person in ("林芳", "唐悦")]
    await lin.one("enter-paper").click()
    await judge(lin, "satisfied")
    await confirm(lin)
    await tang.one("tab-feedback").click()
    await tang.one("confirm-paper").click()
    await tang.one("confirm-paper-now").click()
    await tang.state("办结")
    dai = await cast.desk("戴维")
    await dai.state("办结")
    await expect(dai.one("stage-close")).to_have_attribute("data-state", "done")
    await dai.one("tab-feedback").click()
    await expect(dai.one("feedback")).to_have_count(2 * len(PROPOSERS))
    await dai.accessible()


# --- everybody reads it -------------------------------------------------------------------------------------------------


async def read_in_public(cast: Cast) -> None:
    """The lead reads the sealed reply on the own case; somebody of an organ that has no part in it finds text and reply among
    what is public, on a telephone too."""
    dai = await cast.desk("戴维")
    await dai.one("tab-assignments").click()
    await expect(card(dai, LEAD).get_by_test_id("reply")).to_have_count(len(REPLIES))
    await reads_pages(dai, card(dai, LEAD).get_by_test_id("read-reply").last)
    feng = await cast.desk("冯静")
    await feng.one("nav-published").click()
    await feng.one("list-search").fill("停车")
    await feng.accessible()
    await feng.one("open-published").filter(has_text=TITLE).click()
    await expect(feng.page.locator(".case-text")).to_contain_text("错时开放机关单位停车场")
    await expect(feng.one("published-reply")).to_have_count(len(REPLIES))
    await feng.accessible()
    await reads_pages(feng, feng.one("read-published").last)
    await feng.page.set_viewport_size(PHONE)
    await feng.accessible()


async def reads_pages(desk: Desk, link: Locator) -> None:
    """The link leads to sealed pages."""
    answer = await desk.context.request.get(f"{desk.origin}{await link.get_attribute('href')}")
    assert (answer.status, (await answer.body())[:4]) == (200, b"%PDF")
