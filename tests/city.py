"""The cast of the tests: 江城市 with three organs, and browsers that sign with real keys.

wang    王建国  拟稿人          办公室 综合科
li      李红    综合科科长      unit head
zhao    赵明    办公室核稿      office reviewer
chen    陈志远  办公室主任      leader, signer
sun     孙丽    机要文书        clerk
qian    钱伟    印章管理员      seal keeper
liu     刘洋    机要文书        a second clerk
gao     高远    副主任          leader, and a second seal keeper, in the drafter's unit
zhou    周敏    财政局机要文书  clerk of the receiving organ
xu      徐静    财政局机要文书  a second clerk there
wu      吴刚    财政局局长      leader there
zheng   郑华    预算科科长      unit head there
feng    冯静    教育局机要文书  clerk of another organ
sys, sec, aud   three administrators
"""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding
from jose import jwt
from PIL import Image
from starlette.applications import Starlette

from crypto.challenge import challenge_bytes
from crypto.keys import SoftKey, open_key_file, serial_text
from oa_server.app import House
from oa_server.core.actor import SYSTEM
from oa_server.deadlines.actions import seed_calendar
from oa_server.demo.enrolment import Enrolment, actor_named
from oa_server.identity import access as identity
from oa_server.identity.importing import import_directory
from oa_server.settings import Settings
from oa_server.signing.actions import register_seal
from oa_server.workflow.actions import publish_template
from oa_server.workflow.rules import INCOMING, OUTGOING
from tests.described import hold_to_description

PIN = "123456"

# A PIN is slow to try, on purpose; the tests' browsers try the same few thousands of times.
_opened = cache(open_key_file)

ORGANS = """机关代码,机关全称,机关简称,级别,上级机关代码,机关代字,发文机关标志
JC001,江城市人民政府办公室,市政府办公室,市级,,江政办发,江城市人民政府办公室文件
JC002,江城市财政局,市财政局,部门,JC001,江财发,江城市财政局文件
JC003,江城市教育局,市教育局,部门,JC001,,
"""

OFFICIALS = """机关代码,部门,人员编号,姓名,职务,主要负责人,职责
JC001,综合科,wang,王建国,科员,,
JC001,综合科,li,李红,科长,,部门负责人
JC001,秘书科,zhao,赵明,科长,,核稿
JC001,领导,chen,陈志远,主任,是,领导
JC001,机要科,sun,孙丽,机要员,,机要文书
JC001,机要科,qian,钱伟,保密员,,印章管理员
JC001,机要科,liu,刘洋,机要员,,机要文书
JC001,综合科,gao,高远,副主任,,领导;印章管理员
JC002,办公室,zhou,周敏,机要员,,机要文书;印章管理员
JC002,办公室,xu,徐静,机要员,,机要文书
JC002,领导,wu,吴刚,局长,是,领导
JC002,预算科,zheng,郑华,科长,,部门负责人
JC003,办公室,feng,冯静,机要员,,机要文书
JC001,信息中心,sys,何平,系统管理员,,系统管理员
JC001,信息中心,sec,吕安,安全管理员,,安全管理员
JC001,信息中心,aud,施正,审计员,,审计员
"""

PEOPLE = tuple(line.split(",")[2] for line in OFFICIALS.splitlines()[1:])

BODY = {
    "type": "doc",
    "content": [
        {"type": "paragraph", "text": "为进一步规范公文处理工作，现将有关事项通知如下。"},
        {"type": "heading", "level": 1, "text": "一、总体要求"},
        {"type": "paragraph", "text": "各单位要高度重视，认真组织实施。"},
    ],
}


def seal_image() -> bytes:
    """A plain red square: what a seal looks like is not what these tests are about."""
    buffer = io.BytesIO()
    Image.new("RGBA", (60, 60), (220, 0, 0, 120)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Browser:
    """One official at their desk: a browser with its cookies, and a key device beside it."""

    http: httpx.AsyncClient
    origin: str
    keys: dict[str, SoftKey]
    csrf: str = ""

    async def sign_in(self) -> dict[str, Any]:
        """Challenge, answer, session."""
        response = await self.try_sign_in()
        response.raise_for_status()
        self.csrf = response.json()["csrf"]
        return dict(response.json())

    async def challenge(self) -> dict[str, Any]:
        """A challenge for this browser, and the cross-site token for its answer."""
        return dict((await self.http.post("/api/session/challenge")).json())

    async def try_sign_in(
        self,
        *,
        challenge: dict[str, Any] | None = None,
        key: SoftKey | None = None,
        origin: str | None = None,
        **changes: Any,
    ) -> httpx.Response:
        """As `sign_in`, with whatever is to be wrong, and without judging the answer; `changes` are members of it."""
        asked = challenge or await self.challenge()
        chosen = key or self.keys["sign-in"]
        nonce = base64.urlsafe_b64decode(asked["nonce"] + "=" * (-len(asked["nonce"]) % 4))
        body = {
            "certificate": certificate_of(chosen),
            "chain": chain_of(chosen),
            "nonce": asked["nonce"],
            "signature": b64(chosen.sign(challenge_bytes(origin or self.origin, nonce))),
            **changes,
        }
        return await self.http.post("/api/session", json=body, headers={"X-OA-CSRF": asked["csrf"]})

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-OA-CSRF": self.csrf, **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    async def begin_upload(self, document: str, *, name: str = "附件.bin", size: int = 10) -> httpx.Response:
        """Announce an attachment of a draft."""
        body = {"name": name, "size": size, "subject_type": "outgoing", "subject_id": document}
        return await self.send("POST", "/api/files", json=body)

    async def put_part(self, file: str, offset: int, data: bytes | AsyncIterator[bytes]) -> httpx.Response:
        """Send the next part of an attachment, or the next parts."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return await self.send("PATCH", f"/api/files/{file}", content=data, headers=headers)

    async def act(self, path: str, verb: str, **fields: Any) -> httpx.Response:
        """A verb that needs no signature."""
        return await self.send("POST", f"{path}/acts", json={"verb": verb, **fields})

    async def ask(self, path: str, verb: str, *, usage: str = "signing", **fields: Any) -> httpx.Response:
        key = self.keys[usage]
        body = {"verb": verb, "certificate": certificate_of(key), "chain": chain_of(key), **fields}
        if verb in {"approve", "sign", "return"}:
            shown = (await self.get(path)).json()
            body.setdefault("pages_sha256", shown.get("pages_sha256"))
        return await self.send("POST", f"{path}/signatures", json=body)

    async def sign(self, path: str, verb: str, *, usage: str = "signing", **fields: Any) -> httpx.Response:
        """A verb that needs a signature: ask, sign with the key, act."""
        asked = await self.ask(path, verb, usage=usage, **fields)
        if asked.status_code != 201:
            return asked
        return await self.answer(path, verb, asked.json(), usage=usage, **fields)

    async def answer(
        self, path: str, verb: str, asked: dict[str, Any], *, usage: str = "signing", **fields: Any
    ) -> httpx.Response:
        claims = jwt.get_unverified_claims(asked["request"])
        value = self.keys[usage].sign(base64.b64decode(claims["signed_attributes"]))
        signature = {"request_id": asked["request_id"], "value": b64(value)}
        return await self.send("POST", f"{path}/acts", json={"verb": verb, "signature": signature, **fields})


def told(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def certificate_of(key: SoftKey) -> str:
    return b64(key.certificate.public_bytes(Encoding.DER))


def chain_of(key: SoftKey) -> list[str]:
    return [b64(c.public_bytes(Encoding.DER)) for c in key.chain]


@dataclass
class City:
    """The running city: ids of organs and people by their codes."""

    app: Starlette
    settings: Settings
    organs: dict[str, str]
    people: dict[str, str]

    @classmethod
    async def open(cls, app: Starlette, settings: Settings) -> City:
        organs = {row["code"]: str(row["id"]) for row in await identity.organs()}
        people = {code: str((await identity.official_by_code(code)).id) for code in PEOPLE}
        return cls(app, settings, organs, people)

    def browser(self, person: str, address: str = "127.0.0.1") -> Browser:
        """A fresh browser at this person's desk."""
        transport = httpx.ASGITransport(self.app, client=(address, 40000))
        hooks = {"response": [hold_to_description]}
        http = httpx.AsyncClient(transport=transport, base_url=self.settings.origin, event_hooks=hooks)
        return Browser(http, self.settings.origin, self.keys(person))

    def keys(self, person: str) -> dict[str, SoftKey]:
        found = {}
        for usage in ("sign-in", "signing"):
            found[usage] = _opened((self.folder / f"{person}.{usage}.oakey").read_bytes(), PIN)
        seal = {"qian": "JC001", "zhou": "JC002"}.get(person)
        if seal:
            found["seal"] = _opened((self.folder / f"{seal}.seal.oakey").read_bytes(), PIN)
        return found

    @property
    def folder(self) -> Path:
        return self.settings.data_dir / "keys"

    async def signed_in(self, person: str) -> Browser:
        browser = self.browser(person)
        await browser.sign_in()
        return browser

    async def revoke(self, person: str, usage: str = "sign-in") -> str:
        """The security administrator revokes a certificate of this person; its serial number."""
        serial = serial_text(self.keys(person)[usage].certificate)
        await self.app.state.house.register.revoke(await actor_named("sec"), serial, "keyCompromise")
        return serial

    async def draft(self, drafter: Browser, *, key: str = "", **elements: Any) -> httpx.Response:
        """Draft a notice; with a key it may be sent again."""
        body = {"elements": self.elements(**elements), "body": BODY}
        return await drafter.send("POST", "/api/documents", json=body, headers={"Idempotency-Key": key} if key else {})

    async def submitted(self, drafter: Browser) -> str:
        """The path of a notice that was drafted and sent to be reviewed."""
        drafted = await self.draft(drafter)
        drafted.raise_for_status()
        path = f"/api/documents/{drafted.json()['id']}"
        (await drafter.act(path, "submit")).raise_for_status()
        return path

    def elements(self, **changes: Any) -> dict[str, Any]:
        """The elements of a notice from the government office to the finance bureau."""
        return {
            "kind": "notice",
            "title": "江城市人民政府办公室关于规范公文处理工作的通知",
            "main_recipients": [self.organs["JC002"]],
            "copies_to": [self.organs["JC003"]],
            "signer_id": self.people["chen"],
            "note": "此件公开发布",
            "publicity": "active",
            **changes,
        }


async def found_city(house: House) -> None:
    """Found the city by the acts that an administrator would use."""
    await import_directory(SYSTEM, "机关.csv", ORGANS.encode())
    await import_directory(SYSTEM, "人员.csv", OFFICIALS.encode())
    for code, tree in (("outgoing", OUTGOING), ("incoming", INCOMING)):
        await publish_template(SYSTEM, code, code, tree)
    await seed_calendar()
    signer = house.register.signer
    await house.register.found(SYSTEM, signer.directory, signer.passphrase, "江城市")
    folder = house.settings.data_dir / "keys"
    enrolment = Enrolment(house.register, folder, await actor_named("sys"), await actor_named("sec"))
    for person in PEOPLE:
        await enrolment.official((await identity.official_by_code(person)).id, person, PIN)
    for organ in await identity.organs():
        if organ["code"] in {"JC001", "JC002"}:
            _, serial = await enrolment.seal(organ["id"], organ["code"], PIN)
            await register_seal(
                SYSTEM,
                organ["id"],
                name=organ["full_name"],
                image=seal_image(),
                diameter_mm=45,
                certificate_serial=serial,
            )
