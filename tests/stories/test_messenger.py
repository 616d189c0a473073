"""The messenger by clicking: three officials in three browsers, a group, a picture, a recall, and one who loses the network."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, expect

from tests.conftest import Founded
from tests.desk import Desk, office, processes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GROUP = "迎检工作群"
ASKS = "@李红 请把参会名单发到群里，地址 https://www.gov.cn/xinwen/ 可参考"
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}


async def test_three_officials_talk(founded_embedded: Founded, tmp_path: Path, browser: Browser) -> None:
    """A group is begun, somebody is named, answers, sends a picture, is read; a message is taken back; and what is written
    without a network arrives once and in order when it is back."""
    settings = office(founded_embedded, tmp_path / "var")
    with processes(settings):
        wang, li, chen = [await Desk.open(browser, settings, name) for name in ("王建国", "李红", "陈志远")]
        await begin_a_group(wang, li, chen)
        await name_and_answer(wang, li)
        await send_a_picture(li, wang)
        await take_back(wang, li, chen)
        await lose_the_network(li, wang, chen)
        await arrange(wang, li)
        await on_a_phone(wang)
        await talk_to_one(chen, wang)
        assert [fault for desk in (wang, li, chen) for fault in desk.faults] == []


async def picture(desk: Desk, name: str) -> None:
    """Leave what is on the screen in the folder that `OA_PICTURES` names, for who wants to look at it."""
    if folder := os.environ.get("OA_PICTURES"):
        await desk.page.wait_for_timeout(400)
        await desk.page.screenshot(path=Path(folder) / f"{name}.png")


def bubble(desk: Desk, text: str) -> Locator:
    return desk.one("message").filter(has=desk.one("bubble").filter(has_text=text))


async def say(desk: Desk, text: str) -> None:
    await desk.one("composer").fill(text)
    await desk.page.keyboard.press("Enter")
    await expect(bubble(desk, text)).to_have_count(1)


async def from_menu(desk: Desk, text: str, verb: str) -> None:
    """What the menu of a message offers."""
    message = bubble(desk, text)
    await message.hover()
    await message.get_by_test_id("message-menu").click()
    await desk.one(verb).locator("visible=true").click()


async def begin_a_group(wang: Desk, li: Desk, chen: Desk) -> None:
    """Members are found by name and by how it sounds; the others have the group without a reload."""
    await wang.one("nav-messages").click()
    await wang.one("begin-group").click()
    await wang.one("group-title").fill(GROUP)
    for query, name in (("李红", "李红"), ("czy", "陈志远")):
        await wang.one("picker-search").fill(query)
        await wang.one("picker-person").filter(has_text=name).click()
    await wang.accessible()
    await picture(wang, "messenger-group")
    await wang.one("group-confirm").click()
    await expect(wang.one("thread-title")).to_have_text(GROUP)
    await expect(wang.one("note")).to_contain_text("您邀请")
    for desk in (li, chen):
        await desk.one("nav-messages").click()
        await desk.one("talk").filter(has_text=GROUP).click()
        await expect(desk.one("note")).to_contain_text("王建国邀请")


async def name_and_answer(wang: Desk, li: Desk) -> None:
    """Who is named is told so in the list and by the badge; the answer quotes the question, and who has read it is seen."""
    await li.one("nav-tasks").click()
    field = wang.one("composer")
    await field.press_sequentially("@李")
    await expect(wang.one("mentions")).to_contain_text("李红")
    await wang.page.keyboard.press("Enter")
    await field.press_sequentially(ASKS.removeprefix("@李红 "))
    await wang.page.keyboard.press("Enter")
    await expect(bubble(wang, ASKS)).to_have_count(1)
    await expect(li.one("count-messages")).to_have_text("1")
    await li.one("nav-messages").click()
    await expect(li.one("talk").filter(has_text=GROUP)).to_contain_text("[有人@您]")
    await li.one("talk").filter(has_text=GROUP).press("Enter")
    await expect(li.one("unread-from")).to_be_visible()
    await expect(li.one("count-messages")).to_have_count(0)
    link = bubble(li, ASKS).get_by_role("link")
    await expect(link).to_have_attribute("href", "https://www.gov.cn/xinwen/")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await from_menu(li, ASKS, "reply")
    await say(li, "好的，下午三点前发")
    await expect(bubble(wang, "下午三点前发").get_by_test_id("quote")).to_contain_text("请把参会名单")
    # Both others look at the thread.
    await expect(bubble(wang, ASKS).get_by_test_id("read-mark")).to_have_text("2人已读")
    await bubble(wang, ASKS).get_by_test_id("read-mark").click()
    await expect(wang.one("readers-read")).to_contain_text("李红")
    await picture(wang, "messenger-readers")
    await wang.page.keyboard.press("Escape")
    await expect(wang.one("readers")).to_be_hidden()


def photograph() -> bytes:
    image = io.BytesIO()
    Image.linear_gradient("L").resize((800, 600)).convert("RGB").save(image, "PNG")
    return image.getvalue()


async def send_a_picture(li: Desk, wang: Desk) -> None:
    """A picture that is dropped on the thread goes up and is seen by the others; another file is there to be fetched."""
    await li.drop("thread-drop", "现场.png", photograph(), "image/png")
    await li.drop("thread-drop", "参会名单.csv", "姓名,单位\n".encode(), "text/csv")
    await expect(li.one("file-ready")).to_have_count(2)
    await say(li, "名单和会场照片")
    shown = wang.one("picture").locator("img")
    await expect(shown).to_be_visible()
    assert await shown.evaluate("async (img) => { await img.decode(); return img.naturalWidth }") == 800
    async with wang.page.expect_download() as fetching:
        await wang.one("file-card").filter(has_text="参会名单.csv").click()
    assert (await fetching.value).suggested_filename == "参会名单.csv"
    await li.accessible()
    await picture(wang, "messenger-thread")


async def take_back(wang: Desk, li: Desk, chen: Desk) -> None:
    """What is taken back is gone before everybody's eyes; that it was there is left."""
    await say(wang, "这条发错了")
    await expect(bubble(li, "这条发错了")).to_have_count(1)
    await from_menu(wang, "这条发错了", "recall")
    for desk, who in ((wang, "您"), (li, "王建国"), (chen, "王建国")):
        await expect(desk.one("note").filter(has_text=f"{who}撤回了一条消息")).to_have_count(1)
        await expect(bubble(desk, "这条发错了")).to_have_count(0)


async def lose_the_network(li: Desk, wang: Desk, chen: Desk) -> None:
    """What is written meanwhile waits, even over a change of the page; what others say comes in behind it."""
    written = [f"断网期间第{n}条" for n in (1, 2, 3)]
    await li.context.set_offline(True)
    await expect(li.one("offline")).to_be_visible()
    for text in written:
        await say(li, text)
    await expect(li.one("waiting")).to_have_count(3)
    await picture(li, "messenger-offline")
    await say(wang, "李红掉线了吗")
    await li.one("nav-tasks").click()
    await li.context.set_offline(False)
    await li.one("nav-messages").click()
    await li.one("talk").filter(has_text=GROUP).click()
    await expect(li.one("waiting")).to_have_count(0)
    for desk in (li, wang, chen):
        await expect(bubble(desk, written[-1])).to_have_count(1)
        assert await order(desk, ["李红掉线了吗", *written]) == ["李红掉线了吗", *written]


async def order(desk: Desk, texts: Sequence[str]) -> list[str]:
    """Those of these texts that stand in the thread, as often and in the order in which they do."""
    said = await desk.one("bubble").all_inner_texts()
    return [text for one in said for text in texts if text == one.strip()]


async def arrange(wang: Desk, li: Desk) -> None:
    """The owner renames the group; who is not is told why they may not. A pinned conversation stands first."""
    await li.one("details").click()
    await expect(li.one("denied-rename")).to_be_visible()
    await expect(li.one("member")).to_have_count(3)
    await li.page.keyboard.press("Escape")
    await wang.one("details").click()
    await wang.one("pin").click()
    await wang.one("rename").click()
    await wang.page.locator(".el-message-box input").fill("省检迎检群")
    await wang.page.locator(".el-message-box").get_by_role("button", name="确定").click()
    await expect(wang.one("thread-title")).to_have_text("省检迎检群")
    await expect(li.one("thread-title")).to_have_text("省检迎检群")
    await picture(wang, "messenger-details")
    await wang.page.keyboard.press("Escape")
    await expect(wang.one("details-drawer")).to_be_hidden()
    await expect(wang.one("talk").first).to_contain_text("省检迎检群")


async def on_a_phone(wang: Desk) -> None:
    """List and thread are two screens, and neither is wider than the phone."""
    await wang.page.set_viewport_size(PHONE)
    await expect(wang.one("talk").first).to_be_hidden()
    await picture(wang, "messenger-phone-thread")
    await wang.one("thread-back").click()
    await expect(wang.one("talk").first).to_be_visible()
    await picture(wang, "messenger-phone-list")
    await wang.page.set_viewport_size(WIDE)


async def talk_to_one(chen: Desk, wang: Desk) -> None:
    """Somebody found by name is talked to, who learns of it where they are."""
    await chen.one("talk-search").fill("wjg")
    await chen.one("contact").filter(has_text="王建国").click()
    await expect(chen.one("thread-title")).to_have_text("王建国")
    await say(chen, "建国，材料放我桌上")
    await expect(wang.one("count-messages")).to_have_text("1")
    await wang.one("talk").filter(has_text="陈志远").click()
    await expect(bubble(wang, "材料放我桌上")).to_have_count(1)
    await expect(bubble(chen, "材料放我桌上").get_by_test_id("read-mark")).to_have_text("已读")
