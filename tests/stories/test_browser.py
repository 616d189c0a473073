"""The main job by clicking: from a draft in one organ to a closed file in another, in real Chromium, with keys."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import pytest
from cryptography import x509
from playwright.async_api import Browser, expect

from crypto.authority import name
from crypto.profiles import Profile
from oa_agent.tokens import TokenDriver
from oa_server.app import open_house
from oa_server.demo.enrolment import actor_named
from oa_server.identity import access as identity
from oa_server.pki import access as pki
from oa_server.pki import devices, issuing
from oa_server.pki.actions import Subject
from oa_server.pki.models import DeviceKind
from oa_server.settings import Settings
from tests.city import PIN
from tests.conftest import Founded
from tests.desk import SOFTHSM, Desk, office, processes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TITLE = "江城市人民政府办公室关于开展公文处理培训的通知"
LIST = "参训人员名单.csv"
UPLOAD_BYTES_A_SECOND = 4 << 20


@pytest.fixture
def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """A city of this test's own."""
    return office(founded_embedded, tmp_path / "var")


async def give_token(settings: Settings, code: str) -> None:
    """Replace an official's key files by a token: keys generated in it, certificates requested, approved and written."""
    for usage in ("sign-in", "signing"):
        (settings.data_dir / "keys" / f"{code}.{usage}.oakey").unlink()
    driver = TokenDriver(SOFTHSM)
    device = await driver.init_token(code, "13579135", PIN)
    async with open_house(settings) as house:
        requester, approver = await actor_named("sys"), await actor_named("sec")
        official = await identity.official_by_code(code)
        subject = Subject(official_id=official.id)
        row = await devices.register_device(requester, DeviceKind.TOKEN, f"softhsm-{code}", subject)
        trust = await pki.trust()
        for profile in (Profile.SIGN_IN, Profile.SIGNING):
            csr = await driver.generate(device, PIN, profile.value, name(common=official.name))
            request = await issuing.request(requester, profile, csr, subject, device=row)
            issued = await issuing.approve(approver, request.id, house.register)
            certificate = x509.load_der_x509_certificate(bytes(issued.der))
            await driver.write_certificate(device, PIN, certificate, (*trust.intermediates, *trust.roots))


async def test_main_job_by_clicking(settings: Settings, tokens: Path, browser: Browser) -> None:
    """Draft, review, return, sign with a token, number, seal, send, sign for, handle, close and verify – by clicking."""
    await give_token(settings, "chen")
    with processes(settings):
        wang = await Desk.open(browser, settings, "王建国")
        await draft(wang)
        await review(browser, settings, wang)
        await sign_and_pull_the_key(browser, settings, tokens)
        sun, zhou = await number_seal_send(browser, settings)
        await receive(sun, zhou)
        await handle(browser, settings, zhou)
        await verify(zhou)
        assert [fault for desk in (wang, sun, zhou) for fault in desk.faults] == []


# --- one organ writes -------------------------------------------------------------------------------------------------


def word_file() -> bytes:
    """What a drafter may have written elsewhere: a heading, a list, a table."""
    document = docx.Document()
    document.add_paragraph("为提高公文处理水平，定于近期开展培训，现将有关事项通知如下。")
    document.add_heading("一、培训内容", 1)
    document.add_paragraph("公文格式国家标准", style="List Number")
    document.add_paragraph("公文处理工作条例", style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("课程", "授课人", "公文格式", "李红"), strict=True):
        cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


async def draft(wang: Desk) -> None:
    """Elements, a body from Word and by hand, an attachment by drop; what is missing is told with its article."""
    await wang.one("nav-outgoing").click()
    await wang.one("state-empty").wait_for()
    await wang.accessible()
    await wang.one("new-draft").first.click()
    await wang.drop("word-drop", "培训通知.docx", word_file())
    await expect(wang.one("import-notes")).to_be_visible()
    editor = wang.one("editor")
    await expect(editor.locator("table")).to_contain_text("授课人")
    await expect(editor.locator("h1")).to_have_text("一、培训内容")
    await editor.locator("p").first.click()
    await wang.page.keyboard.press("End")
    await wang.page.keyboard.press("Enter")
    await wang.page.keyboard.type("请各单位准时参加。")
    await wang.one("element-title").fill(TITLE)
    await wang.one("act-submit").click()
    await wang.one("act-confirm").click()
    await expect(wang.one("act-finding")).to_have_count(2)
    await expect(wang.one("act-finding").first).to_contain_text("《党政机关公文处理工作条例》第九条第七项")
    await wang.one("act-cancel").click()
    await wang.one("element-signer").click()
    await wang.page.get_by_role("option", name="陈志远").click()
    await wang.one("main-recipients-choose").click()
    await wang.one("picker-search").fill("财政局")
    await wang.page.get_by_role("checkbox", name="市财政局").check()
    await wang.one("picker-done").click()
    await attach(wang)
    await expect(wang.one("draft-status")).to_have_attribute("data-status", "saved")
    paper = wang.one("preview").locator(".textLayer").first
    await expect(paper).to_contain_text("请各单位准时参加。")
    await wang.accessible()
    await wang.act("submit")
    await wang.state("审核")


async def attach(wang: Desk) -> None:
    """An attachment is dropped, shows how far it has come, waits when it is told to, and arrives."""
    network = await wang.context.new_cdp_session(wang.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": UPLOAD_BYTES_A_SECOND}
    await network.send("Network.emulateNetworkConditions", slow)
    await wang.drop("attachment-drop", LIST, b"1,2\n" * (4 << 20))
    bar = wang.one("upload").get_by_role("progressbar")
    await expect(bar).not_to_have_attribute("aria-valuenow", "0")
    await wang.one("upload-pause").click()
    await expect(wang.one("upload")).to_have_attribute("data-state", "paused")
    await network.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    await wang.one("upload-continue").click()
    await expect(wang.one("attachment")).to_have_attribute("data-state", "ready")
    await expect(wang.one("attachment")).to_contain_text(LIST)


async def review(browser: Browser, settings: Settings, wang: Desk) -> None:
    """The unit head agrees, the office returns it with a reason, the drafter mends it, and it comes again."""
    reason = "培训时间未写明，请补充。"
    li, zhao = [await Desk.open(browser, settings, person) for person in ("李红", "赵明")]
    await li.open_task(TITLE)
    await li.act_signed("approve", "同意，请核稿。")
    await li.one("opinion").filter(has_text="同意，请核稿。").wait_for()
    await zhao.open_task(TITLE)
    await zhao.accessible()
    await zhao.act_signed("return", reason)
    await zhao.state("起草")

    # The drafter's page follows by itself, and says why.
    await wang.state("起草")
    await wang.open_task(TITLE)
    await expect(wang.one("returned")).to_contain_text(reason)
    await wang.one("editor").locator("p").first.click()
    await wang.page.keyboard.press("End")
    await wang.page.keyboard.type("培训于本月下旬举行。")
    await wang.act("submit")
    await wang.state("审核")
    for desk, opinion in ((li, "已补充，同意。"), (zhao, "已核，请签发。")):
        await desk.open_task(TITLE)
        await desk.act_signed("approve", opinion)
        await desk.one("opinion").filter(has_text=opinion).wait_for()


async def sign_and_pull_the_key(browser: Browser, settings: Settings, tokens: Path) -> None:
    """The leader reads the pages and signs with the token; pulling it out ends the session in the page."""
    chen = await Desk.open(browser, settings, "陈志远")
    await chen.open_task(TITLE)
    await chen.one("act-sign").wait_for()
    await expect(chen.page.locator(".textLayer").first).to_contain_text("培训于本月下旬举行。")
    await chen.one("act-sign").click()
    await chen.one("act-text").fill("同意签发。")
    await chen.accessible()
    await chen.with_pin(chen.one("confirm").click())
    await chen.state("已签发")
    (token,) = [entry for entry in tokens.iterdir() if entry.is_dir()]
    token.rename(tokens.with_name("pulled"))
    await expect(chen.one("end-reason")).to_contain_text("证书已拔出")
    assert (await chen.context.request.get(f"{chen.origin}/api/session")).status == 401
    assert chen.faults == []


async def number_seal_send(browser: Browser, settings: Settings) -> tuple[Desk, Desk]:
    """The clerk numbers, the keeper seals, the clerk sends; it arrives at the other organ without reloading."""
    sun = await Desk.open(browser, settings, "孙丽")
    await sun.open_task(TITLE)
    await sun.act("number")
    await expect(sun.one("doc-no")).to_contain_text("江政办发〔")
    number = await sun.one("doc-no").inner_text()
    qian = await Desk.open(browser, settings, "钱伟")
    await qian.open_task(TITLE)
    await qian.confirm_signed("seal")
    await qian.state("已用印")
    assert qian.faults == []

    zhou = await Desk.open(browser, settings, "周敏")
    await zhou.one("nav-incoming").click()
    await zhou.one("state-empty").wait_for()
    await sun.open_task(TITLE)
    await sun.one("act-dispatch").click()
    await expect(sun.one("confirm-main")).to_contain_text("江城市财政局")
    await expect(sun.one("confirm-doc-no")).to_have_text(number)
    await sun.with_pin(sun.one("confirm").click())
    await sun.state("已分发")
    await expect(zhou.one("incoming").get_by_text(number)).to_be_visible()
    await zhou.accessible()
    return sun, zhou


# --- another organ reads ----------------------------------------------------------------------------------------------


async def receive(sun: Desk, zhou: Desk) -> None:
    """The receiving clerk signs for it; the sender's board, open all the while, fills in."""
    await sun.one("open-receipts").click()
    tile = sun.one("receipt-tile").filter(has_text="江城市财政局")
    await expect(tile).to_contain_text("待签收")
    await sun.accessible()
    await zhou.one("open-incoming").first.click()
    await zhou.one("tab-attachments").click()
    async with zhou.page.expect_download() as downloading:
        await zhou.one("download").click()
    assert (await downloading.value).suggested_filename == LIST
    await zhou.act_signed("sign_for")
    await zhou.state("已签收")
    await expect(tile).to_contain_text("已签收")
    await expect(tile).to_contain_text("周敏")
    await expect(sun.one("receipt-progress")).to_have_attribute("data-done", "1")


async def handle(browser: Browser, settings: Settings, zhou: Desk) -> None:
    """Registered, put before a leader, given to a unit, handled, closed."""
    wu, zheng = [await Desk.open(browser, settings, person) for person in ("吴刚", "郑华")]
    await zhou.act("register")
    await zhou.state("已登记")
    await zhou.act("propose", "拟请吴局长批示。", leader="吴刚")
    await zhou.state("待批示")
    await wu.open_task(TITLE)
    await wu.act_signed("instruct", "请预算科派员参加。")
    await wu.state("已批示")
    await zhou.state("已批示")
    await zhou.act("assign", unit="预算科")
    await zhou.state("承办中")
    await zheng.open_task(TITLE)
    await zheng.act_signed("finish", "已派2人参加培训。")
    await zheng.state("已承办")
    await zhou.state("已承办")
    await zhou.act("close")
    await zhou.state("办结")
    await zhou.one("tab-opinions").click()
    await expect(zhou.one("opinion")).to_have_count(2)
    await zhou.accessible()
    assert [*wu.faults, *zheng.faults] == []


async def verify(zhou: Desk) -> None:
    """The file that arrived is dropped on the verify page; with one byte changed it is refused."""
    identifier = zhou.page.url.rsplit("/", 1)[1].partition("?")[0]
    response = await zhou.context.request.get(f"{zhou.origin}/api/incoming/{identifier}/pages.pdf")
    sealed = await response.body()
    await zhou.one("nav-verify").click()
    await zhou.drop("verify-drop", "公文.pdf", sealed, "application/pdf")
    await expect(zhou.one("verdict")).to_have_attribute("data-verdict", "valid")
    await expect(zhou.one("report-opinion")).to_have_count(5)
    await zhou.accessible()
    middle = len(sealed) // 2
    changed = sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
    await zhou.drop("verify-drop", "公文.pdf", changed, "application/pdf")
    await expect(zhou.one("verdict")).to_have_attribute("data-verdict", "invalid")
    await expect(zhou.one("signature-findings")).to_be_visible()
