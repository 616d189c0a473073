"""A department's system in the browser and by the SDK: registered, let in, at work, seen by the auditor, suspended, refused."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import Browser, expect
from playwright.async_api import TimeoutError as NotThere

from oa_sdk import AsyncOffice, Body, Document, Elements, NotSignedIn, Paragraph, PemKey, System, verify_webhook
from oa_server.settings import Settings
from tests.conftest import Founded
from tests.departments.test_webhooks import Receiver
from tests.desk import Desk, office, processes
from tests.identity.system import self_signed
from tests.sdk.conftest import FarCity, city_at, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

NAME, CODE = "财政业务系统", "caizheng"
SCOPES = ("directory:read", "documents:read", "documents:write", "events:read")


@pytest.fixture
def settings(founded_embedded: Founded, tmp_path: Path) -> Settings:
    return office(founded_embedded, tmp_path / "var")


@pytest.fixture
def city(settings: Settings) -> FarCity:
    """The people who handle what the system submits, each at a browser of their own."""
    return city_at(settings)


async def test_a_system_and_its_two_administrators(
    settings: Settings, city: FarCity, tmp_path: Path, browser: Browser
) -> None:
    """One administrator registers a system, another lets it in, it works, the auditor sees it, and suspended it is refused."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = tmp_path / "caizheng.pem"
    certificate.write_bytes(self_signed(key).public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with processes(settings):
        async with Receiver().listening() as receiver, AsyncOffice(settings.origin, System(CODE, PemKey(pem))) as sdk:
            system = await Desk.open(browser, settings, "何平")
            await register(system, certificate, pem, receiver.port)
            with pytest.raises(NotSignedIn):
                await sdk.documents.draft(elements(city), TEXT)
            security = await Desk.open(browser, settings, "吕安")
            await let_in(security)
            document = await work(sdk, city, tmp_path)
            await verified(sdk, receiver)
            await shown_to_administrators(security)
            auditor = await Desk.open(browser, settings, "施正")
            await audited(auditor, document)
            await suspend(security)
            with pytest.raises(NotSignedIn):
                await sdk.documents.get(document.id)
            await seen_refused(auditor)
            assert [fault for desk in (system, security, auditor) for fault in desk.faults] == []


TEXT = Body([Paragraph("现将有关事项通知如下。")])


def elements(city: FarCity) -> Elements:
    return msgspec.convert(city.elements(), Elements)


# --- registered and let in --------------------------------------------------------------------------------------------


async def choose(desk: Desk, field: str, option: str) -> None:
    await desk.one(field).click()
    await desk.page.get_by_role("option", name=option).click()


async def register(system: Desk, certificate: Path, key: bytes, port: int) -> None:
    """The certificate is read before it is registered, and a private key is not taken; then the webhook is entered."""
    await system.one("nav-systems").click()
    await expect(system.one("state-empty")).to_be_visible()
    await system.one("register-system").click()
    await system.one("system-name").fill(NAME)
    await system.one("system-code").fill(CODE)
    await choose(system, "system-organ", "江城市人民政府办公室")
    await choose(system, "system-unit", "综合科")
    await choose(system, "system-official", "王建国")
    chosen = system.one("system-certificate-input")
    await chosen.set_input_files({"name": "key.pem", "mimeType": "application/x-pem-file", "buffer": key})
    await expect(system.one("system-problem")).to_contain_text("私钥")
    await chosen.set_input_files(certificate)
    await expect(system.one("certificate-facts")).to_contain_text(f"CN={NAME}")
    for scope in SCOPES:
        await system.one(f"scope-{scope}").check()
    await system.one("system-purpose").fill("报送预算执行情况")
    await system.accessible()
    await system.one("system-submit").click()
    await expect(system.one("state")).to_have_text("待批准")
    await expect(system.one("comparison")).to_contain_text("首次登记")
    await expect(system.one("denied-approve")).to_be_visible()
    await system.one("webhook-register").click()
    await system.one("webhook-url").fill(f"http://receiver.example:{port}/events")
    await system.one("webhook-addresses").fill("127.0.0.1")
    await system.page.keyboard.press("Control+Enter")
    await expect(system.one("webhook-state")).to_have_text("待批准")
    await system.accessible()


async def let_in(security: Desk) -> None:
    """The other administrator compares and lets in the system, and then its webhook."""
    await security.one("nav-systems").click()
    await security.one("state-pending").click()
    await expect(security.one("system-row")).to_have_count(1)
    await security.one("open-system").click()
    await expect(security.one("denied-amend")).to_be_visible()
    await security.one("act-approve").click()
    await expect(security.one("act-warning")).to_contain_text("首次登记")
    await security.one("act-confirm").click()
    await expect(security.one("state")).to_have_text("已接入")
    await security.one("webhook-approve").click()
    await security.one("act-confirm").click()
    await expect(security.one("webhook-state")).to_have_text("推送中")


# --- at work ----------------------------------------------------------------------------------------------------------


async def work(sdk: AsyncOffice, city: FarCity, folder: Path) -> Document:
    """It drafts, attaches and submits; people sign, seal and send it, and it fetches who has signed for it."""
    file = folder / "预算.csv"
    file.write_text("科目,金额\n教育,100\n", "utf-8")
    document = await sdk.documents.draft(elements(city), TEXT)
    await sdk.attachments.upload(document.id, file)
    document = await sdk.documents.submit(await sdk.documents.get(document.id))
    assert document.state == "under_review"
    await walk(city, document.id)
    for client in city.clients:
        await client.aclose()
    receipts = await sdk.documents.receipts(document.id)
    (signed,) = [item for item in receipts.items if item.signed_for_at]
    assert "oa/receipt" in (await sdk.documents.receipt(signed.id)).content
    return document


async def verified(sdk: AsyncOffice, receiver: Receiver) -> None:
    """What arrives at its own server is signed by ours, and is what the feed says, in its order."""
    feed = [event async for event in sdk.events.after()]
    assert {"oa.documents.drafted", "oa.documents.submitted", "oa.documents.dispatched", "oa.documents.signed_for"} <= {
        event.type for event in feed
    }
    for _ in range(100):
        if len(receiver.received) >= len(feed):
            break
        await asyncio.sleep(0.2)
    keys = await sdk.events.webhook_keys()
    arrived = [verify_webhook(one.headers, one.body, keys) for one in receiver.received]
    assert [event.id for event in arrived] == [event.id for event in feed]


async def shown_to_administrators(security: Desk) -> None:
    """The page of the system tells when it came, what it was sent, and nothing of the documents."""
    await security.page.reload()
    await expect(security.one("admitted")).to_contain_text("127.0.0.1")
    await expect(security.page.locator('[data-test="event"] [data-state="taken"]').first).to_be_visible()
    await expect(security.one("webhook-key")).to_contain_text("whpk_")
    assert "关于" not in await security.page.inner_text("main")
    await security.accessible()


# --- watched and suspended --------------------------------------------------------------------------------------------


async def audited(auditor: Desk, document: Document) -> None:
    """The auditor finds what the system did, reads one act with its facts, and holds its proof against the signed root."""
    await auditor.one("day-acts").wait_for()
    await auditor.accessible()
    await auditor.one("register-search").fill(str(document.id))
    await expect(auditor.one("audit-row").filter(has_text="送审")).to_contain_text(NAME)
    await auditor.one("register-search").fill(NAME)
    await auditor.one("audit-row").filter(has_text="系统接入").first.wait_for()
    await choose(auditor, "audit-verb", "登记接入系统")
    await auditor.one("register-search").fill("")
    await expect(auditor.one("audit-row")).to_have_count(1)
    await auditor.one("open-audit").click()
    await expect(auditor.one("record-facts")).to_contain_text("报送预算执行情况")
    for _ in range(40):
        await auditor.page.locator('[data-test="proof-path"], [data-test="state-problem"]').first.wait_for()
        if await auditor.one("proof-path").count():
            break
        await asyncio.sleep(2)
        with suppress(NotThere):  # The page looks again by itself, too.
            await auditor.one("retry").click(timeout=1000)
    await expect(auditor.one("proof-verdict")).to_contain_text("一致")
    await auditor.accessible()
    async with auditor.page.expect_download() as downloading:
        await auditor.one("proof-download").click()
    assert "oa/audit-proof/1" in Path(await (await downloading.value).path()).read_text("utf-8")


async def suspend(security: Desk) -> None:
    """Suspending takes a reason, and works at once."""
    await security.one("act-suspend").click()
    await expect(security.one("act-confirm")).to_be_disabled()
    await security.one("act-text").fill("系统下线检修")
    await security.one("act-confirm").click()
    await expect(security.one("state")).to_have_text("已暂停")
    await expect(security.one("decided")).to_have_text("系统下线检修")


async def seen_refused(auditor: Desk) -> None:
    """That it was turned away is among what the auditor finds turned down."""
    await auditor.one("nav-audit").click()
    await choose(auditor, "audit-result", "被拒绝或驳回")
    await expect(auditor.one("audit-row").filter(has_text="系统接入被拒绝").first).to_contain_text(NAME)
