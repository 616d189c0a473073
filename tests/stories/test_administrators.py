"""A key's life by clicking: made for a new official, approved by another administrator, lost, revoked and made anew."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from playwright.async_api import Browser, Locator, expect

from oa_agent.tokens import TokenDriver
from oa_server.app import open_house
from oa_server.core.actor import SYSTEM
from oa_server.identity.importing import import_directory
from oa_server.settings import Settings
from tests.city import OFFICIALS, PIN
from tests.conftest import Founded
from tests.desk import SOFTHSM, Desk, office, processes
from tests.pki.office import csr

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NEWCOMER = "何晓"
FIRST, SECOND = "K-2026-031", "K-2026-032"
PROFILES = ("sign-in", "signing")
OFFICERS_PIN = "13579135"


@pytest.fixture
def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    """A city of this test's own."""
    return office(founded_embedded, tmp_path / "var")


async def prepare(settings: Settings, tokens: Path) -> Path:
    """An official is new, and two tokens are blank but for their PIN. Returns where the first one is plugged in."""
    header, *_others = OFFICIALS.splitlines()
    async with open_house(settings):
        await import_directory(SYSTEM, "人员.csv", f"{header}\nJC001,综合科,hexiao,{NEWCOMER},科员,,\n".encode())
    driver = TokenDriver(SOFTHSM)
    await driver.init_token(FIRST, OFFICERS_PIN, PIN)
    (first,) = [entry for entry in tokens.iterdir() if entry.is_dir()]
    await driver.init_token(SECOND, OFFICERS_PIN, PIN)
    return first


async def test_a_key_and_its_loss(settings: Settings, tokens: Path, browser: Browser) -> None:
    """Registered, generated in the token, approved, written, handed over, lost, thrown out, revoked, made anew."""
    first = await prepare(settings, tokens)
    with processes(settings):
        system = await Desk.open(browser, settings, "何平")
        await begin(system)
        await generate(system)
        security = await Desk.open(browser, settings, "吕安")
        await approve(security)
        await write_and_hand_over(system)
        official = await Desk.open(browser, settings, NEWCOMER)
        await unlock(system)
        await lose(system, official)
        await revoke(security)
        await turned_away(official)
        first.rename(tokens.with_name("lost"))
        await replace(system)
        await approve(security)
        await write_and_hand_over(system)
        again = await Desk.open(browser, settings, NEWCOMER)
        await again.one("state-empty").wait_for()
        assert [fault for desk in (system, security, official, again) for fault in desk.faults] == []


async def test_what_goes_wrong_on_the_way(settings: Settings, tokens: Path, browser: Browser) -> None:
    """A request that does not arrive waits with its key, one that is refused is made again, and what is written is renewed."""
    await prepare(settings, tokens)
    with processes(settings):
        system = await Desk.open(browser, settings, "何平")
        await begin(system)
        line = key(system, "signing")
        await lost_on_the_way(system, line)
        security = await Desk.open(browser, settings, "吕安")
        await refuse(security)
        await system.one("enrolment-refresh").click()
        await expect(line).to_have_attribute("data-stage", "refused")
        await expect(line).to_contain_text("请先核实身份")
        await system.with_pin(line.get_by_test_id("key-act").click())
        await expect(line).to_have_attribute("data-stage", "pending")
        await decide_and_write(security, system, line)
        await renew(security, system, line)
        assert [fault for desk in (system, security) for fault in desk.faults] == []


async def test_keys_for_a_whole_organ(settings: Settings, browser: Browser, tmp_path: Path) -> None:
    """A filled sheet is checked row by row and entered, all that waits is approved at once, and the roll shows how far each is."""
    with processes(settings):
        system = await Desk.open(browser, settings, "何平")
        await to_roll(system)
        await expect(system.one("state-handed_over")).to_contain_text("4")
        async with system.page.expect_download() as downloading:
            await system.one("roll-sheet").click()
        given = await (await downloading.value).path()
        await bring(system, fill(given, tmp_path / "填好的名册.xlsx"))
        await expect(system.one("state-pending")).to_contain_text("1")
        await expect(system.one("state-no_keys")).to_contain_text("1")
        security = await Desk.open(browser, settings, "吕安")
        await to_roll(security)
        await expect(security.one("denied-roll-bring")).to_have_count(0)
        await security.one("roll-approve").click()
        await expect(security.one("roll-progress")).to_contain_text("共2件，完成2件")
        await expect(security.one("state-issued")).to_contain_text("1")
        await security.accessible()
        assert [fault for desk in (system, security) for fault in desk.faults] == []


async def to_roll(desk: Desk) -> None:
    """From the requests to the roll of one organ."""
    await desk.one("nav-requests").click()
    await desk.one("open-rolls").click()
    await desk.one("roll-organ").click()
    await desk.page.get_by_role("option", name="江城市财政局").click()
    await desk.one("roll").wait_for()


def fill(sheet: Path, target: Path) -> Path:
    """The sheet as somebody fills it in: one new device with its requests, one without, and one name that is wrong."""
    book = openpyxl.load_workbook(io.BytesIO(sheet.read_bytes()))
    page = book.worksheets[0]
    people = {page.cell(row, 2).value: row for row in range(2, page.max_row + 1)}
    for column, value in ((3, "K-901"), (5, csr(common="周敏")), (6, csr(common="周敏"))):
        page.cell(people["周敏"], column, value)
    page.cell(people["徐静"], 3, "K-902")
    page.cell(people["吴刚"], 2, "吴钢")
    book.save(target)
    return target


async def bring(system: Desk, sheet: Path) -> None:
    """The wrong row is named and left out, the others are entered, and shown the same sheet again says so."""
    await system.one("roll-bring").click()
    await system.one("sheet-input").set_input_files(sheet)
    await expect(system.one("sheet-rows-row")).to_contain_text("姓名与人员库不一致")
    await system.accessible()
    await system.one("sheet-enter").click()
    await expect(system.one("sheet-progress")).to_contain_text("共2件，完成2件")
    await expect(system.one("sheet-enter")).to_be_disabled()
    await system.one("sheet-close").click()


# --- a new key --------------------------------------------------------------------------------------------------------


async def begin(system: Desk) -> None:
    """An administrator's first page is the overview; the device is registered for the official who has none."""
    await system.one("overview").wait_for()
    await expect(system.one("nav-tasks")).to_have_count(0)
    await expect(system.one("waiting-pending")).to_contain_text("0")
    await system.accessible()
    await system.one("nav-devices").click()
    await system.one("begin-keep_devices").click()
    await system.one("holder-organ").click()
    await system.page.get_by_role("option", name="江城市人民政府办公室").click()
    await system.one("holder-official").click()
    await system.page.get_by_role("option", name=NEWCOMER).click()
    await system.one("device-label").fill(FIRST)
    await system.accessible()
    await system.one("device-register").click()
    await expect(system.one("state")).to_have_text("在库")
    await expect(system.one("device-entry")).to_have_count(1)
    await system.accessible()
    await system.one("enrol").click()


def key(desk: Desk, profile: str) -> Locator:
    """The line of one key on the page that walks them."""
    return desk.page.locator(f'[data-test="key"][data-profile="{profile}"]')


async def generate(system: Desk) -> None:
    """Each key is generated in the token, which asks for its PIN itself, and its request is sent."""
    for profile in PROFILES:
        line = key(system, profile)
        await expect(line).to_have_attribute("data-stage", "none")
        await system.with_pin(line.get_by_test_id("key-act").click())
        await expect(line).to_have_attribute("data-stage", "pending")
    await system.accessible()


async def approve(security: Desk) -> None:
    """The other administrator sees what waits, compares each request with the directory, and approves."""
    await security.one("nav-overview").click()
    await expect(security.one("waiting-pending")).to_contain_text("2")
    await expect(security.one("denied-request")).to_be_visible()
    for left in (2, 1):
        await security.one("nav-requests").click()
        await security.one("state-pending").click()
        await expect(security.one("request-row")).to_have_count(left)
        await security.one("open-request").first.click()
        await expect(security.one("all-same")).to_be_visible()
        await expect(security.page.locator('[data-test="difference"][data-same="true"]')).to_have_count(5)
        await expect(security.one("difference").filter(has_text="姓名")).to_contain_text(NEWCOMER)
        await expect(security.one("denied-install")).to_have_accessible_name(
            "写入证书：只有系统管理员可以申请证书、管理介质"
        )
        await security.one("act-approve").click()
        await security.accessible()
        await security.one("act-confirm").click()
        await expect(security.one("state")).to_have_text("待写入")


async def write_and_hand_over(system: Desk) -> None:
    """From the list it goes on where it was: the certificates are written and installed, and the device is given out."""
    await system.one("nav-requests").click()
    await system.one("state-issued").click()
    await expect(system.one("request-row")).to_have_count(2)
    await system.one("open-request").first.click()
    await expect(system.one("denied-approve")).to_be_visible()
    await system.one("go-on").click()
    for profile in PROFILES:
        line = key(system, profile)
        await expect(line).to_have_attribute("data-stage", "issued")
        await system.with_pin(line.get_by_test_id("key-act").click())
        await expect(line).to_have_attribute("data-stage", "installed")
    await system.one("hand-over").click()
    await system.one("act-text").fill("本人领取")
    await system.one("act-confirm").click()
    await expect(system.one("device-state")).to_have_text("已发放")
    await system.accessible()


async def unlock(system: Desk) -> None:
    """A forgotten PIN: the agent asks the administrator for the token's own PIN, then the holder for a new one, twice."""
    await system.one("open-own-device").click()
    await system.one("act-unlocked").click()
    await expect(system.one("unlock-confirm")).to_be_enabled()
    await system.accessible()
    window = await system.pin_page(system.one("unlock-confirm").click())
    await window.get_by_label("PIN").fill(OFFICERS_PIN)
    await window.get_by_role("button", name="确定").click()
    await window.get_by_label("再次输入").fill(PIN)
    await window.get_by_label("PIN").fill(PIN)
    await window.get_by_role("button", name="确定").click()
    await expect(system.one("state")).to_have_text("已发放（解锁过）")
    await expect(system.one("device-entry").first).to_contain_text("解锁")


# --- its loss ---------------------------------------------------------------------------------------------------------


async def lose(system: Desk, official: Desk) -> None:
    """Reported lost, after it was confirmed what that means, the official's open page is thrown out by itself."""
    await official.one("state-empty").wait_for()
    await expect(official.one("nav-overview")).to_have_count(0)
    await system.one("act-lost").click()
    await expect(system.one("act-warning")).to_contain_text("2张")
    await expect(system.one("act-confirm")).to_be_disabled()
    await system.one("act-understood").check()
    await system.accessible()
    await system.one("act-confirm").click()
    await expect(system.one("state")).to_have_text("已挂失")
    await expect(system.page.locator('[data-test="device-certificate"][data-state="suspended"]')).to_have_count(2)
    await expect(official.one("end-reason")).to_contain_text("吊销或暂停")


async def revoke(security: Desk) -> None:
    """What is suspended is found in the list of certificates, and revoked with its reason."""
    for left in (2, 1):
        await security.one("nav-certificates").click()
        await security.one("state-suspended").click()
        await expect(security.one("certificate-row")).to_have_count(left)
        await security.one("open-certificate").first.click()
        await expect(security.one("chain-link")).to_have_count(3)
        await security.accessible()
        await security.one("act-revoke").click()
        await security.one("act-choice").click()
        await security.page.get_by_role("option", name="密钥丢失或泄露").click()
        await security.one("act-confirm").click()
        await expect(security.one("state")).to_have_text("已吊销")
        await expect(security.one("reason")).to_have_text("密钥丢失或泄露")


async def turned_away(official: Desk) -> None:
    """Whoever has found the token, and knows its PIN, does not come in with it."""
    await official.one("certificate-search").fill(NEWCOMER)
    await official.one("certificate").first.click()
    await official.with_pin(official.one("sign-in").click())
    await expect(official.one("sign-in-problem")).to_contain_text("吊销")


async def replace(system: Desk) -> None:
    """From the page of the lost device another is registered for its holder, and keys are made in that one."""
    await system.one("enrol").click()
    await expect(system.one("enrolment-holder")).to_contain_text(NEWCOMER)
    await system.one("device-label").fill(SECOND)
    await system.one("device-register").click()
    await expect(system.one("key-replaces")).to_have_count(2)
    await generate(system)


# --- what goes wrong --------------------------------------------------------------------------------------------------


async def lost_on_the_way(system: Desk, line: Locator) -> None:
    """The network is cut after the key was generated: the request is kept over a reload, and sent without the PIN."""
    await system.page.route("**/api/pki/requests", lambda route: route.abort())
    await system.with_pin(line.get_by_test_id("key-act").click())
    await expect(line.get_by_test_id("key-problem")).to_contain_text("无法连接服务器")
    await expect(line).to_have_attribute("data-stage", "kept")
    await system.page.unroute("**/api/pki/requests")
    await system.page.reload()
    await expect(line).to_have_attribute("data-stage", "kept")
    await expect(system.one("enrolment-holder")).to_contain_text(NEWCOMER)
    await line.get_by_test_id("key-act").click()
    await expect(line).to_have_attribute("data-stage", "pending")


async def waiting(security: Desk) -> None:
    """The one request that waits, opened."""
    await security.one("nav-requests").click()
    await security.one("state-pending").click()
    await expect(security.one("request-row")).to_have_count(1)
    await security.one("open-request").click()


async def refuse(security: Desk) -> None:
    """A request is refused by keys, which takes a reason."""
    await waiting(security)
    await expect(security.one("act-refuse")).to_be_visible()
    await security.page.keyboard.press("2")
    await expect(security.one("act-text")).to_be_focused()
    await expect(security.one("act-confirm")).to_be_disabled()
    await security.page.keyboard.type("请先核实身份")
    await security.page.keyboard.press("Control+Enter")
    await expect(security.one("refusal")).to_contain_text("请先核实身份")


async def decide_and_write(security: Desk, system: Desk, line: Locator) -> None:
    """Approved there, written here."""
    await waiting(security)
    await security.one("act-approve").click()
    await security.one("act-confirm").click()
    await expect(security.one("state")).to_have_text("待写入")
    await system.one("enrolment-refresh").click()
    await expect(line).to_have_attribute("data-stage", "issued")
    await system.with_pin(line.get_by_test_id("key-act").click())
    await expect(line).to_have_attribute("data-stage", "installed")


async def renew(security: Desk, system: Desk, line: Locator) -> None:
    """A renewal keeps the key, so nothing is generated; once it is written, what it replaced is revoked."""
    await system.one("kind-renewal").click()
    await expect(line).to_have_attribute("data-stage", "none")
    await expect(key(system, "sign-in").get_by_test_id("nothing-to-replace")).to_be_visible()
    await line.get_by_test_id("key-act").click()
    await expect(line).to_have_attribute("data-stage", "pending")
    await decide_and_write(security, system, line)
    await line.get_by_test_id("key-request").click()
    await system.one("replaces").click()
    await expect(system.one("state")).to_have_text("已吊销")
    await expect(system.one("reason")).to_have_text("已换发新证书")
