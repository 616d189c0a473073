"""Tokens: initialised, filled with keys and certificates, used, lost, and reset; and key files alike."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.exceptions import FunctionFailed, PinLenRange, PinLocked
from pkcs11.util.rsa import encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

from crypto.authority import name
from crypto.keys import seal_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_agent.config import Config, Module
from oa_agent.errors import PIN_LENGTH, PIN_LOCKED, TOKEN_FAILED, Refused, WrongPin
from oa_agent.sources import StoredKey, certificate_id, chain_of
from oa_agent.tokens import TokenDriver, TokenEcKey, thread_of
from tests.agent.conftest import HOLDER, PIN, SO_PIN, SOFTHSM, Office, Person, Pki, Token, Visit, der

SUBJECT = {"common": HOLDER, "organ": "江城市人民政府办公室", "number": "100086"}


async def _device(token: Token) -> Any:
    (device,) = [device for device in await token.driver.devices() if device.id == token.id]
    return device


async def _key(token: Token, certificate: x509.Certificate) -> StoredKey:
    (key,) = [key for key in await token.driver.keys() if key.certificate == certificate]
    return key


@pytest.mark.parametrize("kind", ["token", "software"])
async def test_enrolment_by_socket(visit: Visit, pki: Pki, office: Office, token: Token, kind: str) -> None:
    """An official's two keys are generated, certified and used without ever leaving their token."""
    async with visit() as page:
        (device,) = [d for d in await page.get("tokens") if d["kind"] == kind and d["id"] in {token.id, "software"}]
        certificates = {}
        for usage in ("sign-in", "signing"):
            page.person = Person([PIN])
            members = {"token": device["id"], "usage": usage, "label": usage, "subject": SUBJECT}
            csr = x509.load_pem_x509_csr((await page.get("generate", **members))["csr"].encode())
            assert (await page.person_done())[-2].count(HOLDER) >= 1
            assert csr.is_signature_valid
            assert "SERIALNUMBER" in csr.subject.rfc4514_string() or "2.5.4.5" in csr.subject.rfc4514_string()
            page.person = Person([PIN])
            certificates[usage] = pki.certify(Profile(usage), csr.public_key())
            chain = [der(above) for above in pki.issuing.chain]
            written = {"token": device["id"], "certificate": der(certificates[usage]), "chain": chain}
            assert await page.get("write-certificate", **written) == {
                "certificate_id": certificate_id(certificates[usage])
            }
        for usage, certificate in certificates.items():
            listed = [
                entry
                for entry in await page.get("certificates", usage=usage)
                if entry["certificate"] == der(certificate)
            ]
            assert [(entry["label"], len(entry["chain"])) for entry in listed] == [(usage, 2)]
        page.person = Person([PIN])
        request = office.request(office.claims(certificates["signing"]))
        assert await page.get("sign", certificate_id=certificate_id(certificates["signing"]), request=request)


@pytest.mark.norm("M-8.4i")
async def test_keys_stay_in_the_token(token: Token, enrol: Callable[..., Any]) -> None:
    """A generated key cannot be read out, not even with the PIN."""
    await enrol(token, Profile.SIGNING)

    def attributes() -> list[bool]:
        with pkcs11.lib(SOFTHSM).get_token(token_label=token.label).open(user_pin=PIN) as session:
            (key,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
            with pytest.raises(pkcs11.AttributeSensitive):
                _ = key[Attribute.VALUE]
            return [key[Attribute.SENSITIVE], key[Attribute.EXTRACTABLE], key[Attribute.NEVER_EXTRACTABLE]]

    assert await asyncio.wrap_future(thread_of(SOFTHSM).submit(attributes)) == [True, False, True]


async def test_a_token_key_is_only_a_signature(token: Token) -> None:
    """The key's stand-in for certificate builders has nothing of the private key to give."""
    public_key = INTL.generate_key().public_key()
    key = TokenEcKey(None, public_key)
    assert (key.curve.name, key.key_size, key.public_key()) == ("secp256r1", 256, public_key)
    for take in (key.private_numbers, key.private_bytes, key.exchange):
        with pytest.raises(Refused):
            take()


async def test_renewal_replaces_the_certificate(token: Token, enrol: Callable[..., Any], pki: Pki) -> None:
    """A new certificate for a key takes the place of the old, and the chain is not stored twice."""
    first = await enrol(token, Profile.SIGNING)
    second = pki.certify(Profile.SIGNING, first.public_key())
    await token.driver.write_certificate(await _device(token), PIN, second, pki.issuing.chain)
    held = [key.certificate for key in await token.driver.keys() if key.device.id == token.id]
    assert first not in held
    assert len(held) == 3


async def test_certificates_of_foreign_keys(visit: Visit, token: Token, pki: Pki) -> None:
    """A certificate goes only where its key is."""
    foreign = der(pki.key(Profile.SIGNING).certificate)
    async with visit() as page:
        page.person = Person([PIN])
        for place in (token.id, "software"):
            assert await page.refusal("write-certificate", token=place, certificate=foreign) == "certificate.no_key"
        assert await page.refusal("write-certificate", token="none", certificate=foreign) == "token.not_found"
        for broken in ("%", "AAAA"):
            assert (
                await page.refusal("write-certificate", token="software", certificate=broken)
                == "certificate.unreadable"
            )


async def test_generating_for_no_person(visit: Visit) -> None:
    """Keys are generated for people and seals, not for authorities; and a name is used once."""
    async with visit() as page:
        members = {"token": "software", "label": "新密钥", "subject": SUBJECT}
        assert await page.refusal("generate", usage="root", **members) == "message.malformed"
        page.person = Person([PIN, PIN])
        assert await page.get("generate", usage="signing", **members)
        assert await page.refusal("generate", usage="signing", **members) == "token.name_taken"
        page.person = Person(["1234"])
        assert await page.refusal("generate", usage="seal", **members | {"label": "另一把"}) == "pin.length"


async def test_rsa_keys(token: Token, pki: Pki) -> None:
    """A token's RSA key signs as well."""

    def generate() -> bytes:
        with pkcs11.lib(SOFTHSM).get_token(token_label=token.label).open(rw=True, user_pin=PIN) as session:
            public, _private = session.generate_keypair(KeyType.RSA, 2048, store=True, id=b"rsa", label="rsa")
            return bytes(encode_rsa_public_key(public))

    public_key = load_der_public_key(await asyncio.wrap_future(thread_of(SOFTHSM).submit(generate)))
    certificate = pki.certify(Profile.SIGNING, public_key)
    await token.driver.write_certificate(await _device(token), PIN, certificate, ())
    (signature,) = await token.driver.sign(await _key(token, certificate), PIN, [b"message"])
    assert INTL.verify(public_key, signature, b"message")


async def test_wrong_pins_leave_nothing_behind(token: Token, enrol: Callable[..., Any]) -> None:
    """After a wrong PIN the security officer can still log in, and so can the user with the PIN that was reset."""
    certificate = await enrol(token, Profile.SIGNING)
    key = await _key(token, certificate)
    for _ in range(3):
        with pytest.raises(WrongPin):
            await token.driver.sign(key, "000000", [b"x"])
    with pytest.raises(WrongPin):
        await token.driver.reset_pin(key.device, "00000000", "135790")
    await token.driver.reset_pin(key.device, SO_PIN, "135790")
    with pytest.raises(WrongPin):
        await token.driver.sign(key, PIN, [b"x"])
    assert len(await token.driver.sign(key, "135790", [b"x", b"y"])) == 2


async def test_unlocking_by_socket(visit: Visit, token: Token, enrol: Callable[..., Any], office: Office) -> None:
    """A token whose PIN was locked takes a new one, which its holder enters after the security officer's PIN."""
    certificate = await enrol(token, Profile.SIGNING)
    wanted = {"certificate_id": certificate_id(certificate), "request": office.request(office.claims(certificate))}
    async with visit() as page:
        page.person = Person(["000000"] * 5)
        assert await page.refusal("sign", **wanted) == "pin.locked"
        page.person = Person(["wrong-so-pin", "135790", SO_PIN, "135790"])
        assert await page.get("unlock", token=token.id) == {"token": token.id}
        seen = await page.person_done()
        assert ["管理员 PIN" in seen[0], "再次输入" in seen[1], "PIN 不正确" in seen[2]] == [True] * 3
        page.person = Person(["135790"])
        assert (await page.get("sign", **wanted))["signature"]


async def test_guessing_the_officers_pin(visit: Visit, token: Token) -> None:
    """The security officer's PIN is not to be guessed through the agent, and a software key has none."""
    async with visit() as page:
        page.person = Person(["wrong-so-pin", "135790"] * 5)
        assert await page.refusal("unlock", token=token.id) == "pin.locked"
        assert await page.refusal("unlock", token="software") == "token.no_officer"
        assert await page.refusal("unlock", token="absent") == "token.not_found"


async def test_initialising(token: Token) -> None:
    """A label is given once, and fits what the standard has room for."""
    for label, pins in ((token.label, (SO_PIN, PIN)), ("长" * 11, (SO_PIN, PIN))):
        with pytest.raises(Refused, match=r"token\.name_taken"):
            await token.driver.init_token(label, *pins)
    with pytest.raises(Refused, match=r"token\.failed"):
        await token.driver.init_token("short-so-pin", "1", PIN)


async def test_absent_drivers(visit: Visit, pki: Pki, config: Config) -> None:
    """A driver that is not installed has no tokens, and hides no other source."""
    pki.key_file(Profile.SIGNING, config.keys, "签名")
    async with visit(modules=(Module("/nonexistent/driver.so"),)) as page:
        assert [token["kind"] for token in await page.get("tokens")] == ["software"]
        assert len(await page.get("certificates", usage="signing")) == 1


async def test_hung_tokens(visit: Visit, token: Token, enrol: Callable[..., Any], pki: Pki, config: Config) -> None:
    """A token that does not answer in time is passed over when keys are listed, and is not taken for removed."""
    key_id = certificate_id(await enrol(token, Profile.SIGNING))
    pki.key_file(Profile.SIGNING, config.keys, "签名")
    release = threading.Event()
    async with visit(token_seconds=0.5) as page:
        assert await page.get("watch", certificate_id=key_id)
        thread_of(SOFTHSM).submit(release.wait, 20)
        try:
            listed = await page.get("certificates", usage="signing")
            await asyncio.sleep(0.7)
        finally:
            release.set()
        assert [entry["label"] for entry in listed] == ["签名"]
        assert page.events.empty()


@pytest.mark.parametrize("kind", ["token", "software"])
async def test_a_key_that_is_not_the_certificates(
    visit: Visit, pki: Pki, config: Config, office: Office, token: Token, enrol: Callable[..., Any], kind: str
) -> None:
    """A signature that the certificate does not verify never leaves the agent."""
    certificate = pki.key(Profile.SIGNING).certificate
    if kind == "software":
        config.keys.mkdir(parents=True)
        (config.keys / "错配.oakey").write_bytes(seal_key_file(INTL.generate_key(), PIN, [certificate]))
    else:
        key = await _key(token, await enrol(token, Profile.SIGNING))

        def put_beside() -> None:
            template = decode_x509_certificate(certificate.public_bytes(Encoding.DER))
            with pkcs11.lib(SOFTHSM).get_token(token_label=token.label).open(rw=True, user_pin=PIN) as session:
                session.create_object({**template, Attribute.TOKEN: True, Attribute.ID: key.handle})

        await asyncio.wrap_future(thread_of(SOFTHSM).submit(put_beside))
    async with visit() as page:
        page.person = Person([PIN])
        wanted = {"certificate_id": certificate_id(certificate), "request": office.request(office.claims(certificate))}
        assert await page.refusal("sign", **wanted) == "token.mismatch"


def test_what_drivers_say(token_folder: Path) -> None:
    """A driver's own lock and its limits on PINs are passed on; what it says otherwise is a failure of the token."""
    driver = TokenDriver(SOFTHSM)
    for error, reason in ((PinLocked(), PIN_LOCKED), (PinLenRange(), PIN_LENGTH), (FunctionFailed(), TOKEN_FAILED)):
        refusal = thread_of(SOFTHSM).submit(driver._refusal, error).result(10)
        assert refusal.reason is reason


SHIM = r"""
#include <dlfcn.h>
#include <string.h>
/* SoftHSM, but its third wrong PIN locks: what real tokens do. C_Login is the 19th function (PKCS #11 v2.40, pkcs11f.h). */
typedef unsigned long (*login_t)(unsigned long, unsigned long, unsigned char *, unsigned long);
typedef struct { unsigned char version[2]; void *functions[68]; } list_t;
static list_t list; static login_t real_login; static int wrong;
static unsigned long login(unsigned long s, unsigned long u, unsigned char *p, unsigned long n) {
  if (wrong >= 3) return 0xA4;
  unsigned long rv = real_login(s, u, p, n);
  if (rv == 0xA0 && ++wrong >= 3) return 0xA4;
  return rv;
}
unsigned long C_GetFunctionList(list_t **out) {
  list_t *real; void *lib = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW);
  ((unsigned long (*)(list_t **))dlsym(lib, "C_GetFunctionList"))(&real);
  memcpy(&list, real, sizeof list);
  real_login = (login_t)list.functions[18]; list.functions[18] = login;
  *out = &list; return 0;
}
"""


@pytest.mark.skipif(
    subprocess.run(["sh", "-c", "command -v cc"], check=False, capture_output=True).returncode != 0, reason="needs cc"
)
async def test_a_token_that_locks_itself(
    token: Token, enrol: Callable[..., Any], config: Config, tmp_path: Path, run_agent: Callable[..., Any]
) -> None:
    """A token's own lock is passed on, and the agent does not count beside it."""
    certificate = await enrol(token, Profile.SIGN_IN)
    source, driver = tmp_path / "locking.c", tmp_path / "locking.so"
    source.write_text(SHIM)
    await asyncio.to_thread(subprocess.run, ["cc", "-shared", "-fPIC", "-o", driver, source, "-ldl"], check=True)
    counting = msgspec.structs.replace(config, modules=(Module(str(driver), counts_wrong_pins=True),))
    arguments = ["authenticate", "--origin", config.origins[0], "--certificate", certificate_id(certificate)]
    done = await asyncio.to_thread(run_agent, counting, [*arguments, "--nonce", "A" * 43], "000000\n" * 5)
    assert msgspec.json.decode(done.stdout)["error"]["code"] == "pin.locked"
    assert not (config.state / "retries.json").exists()
    assert "剩余" not in done.stderr


def test_chains(pki: Pki) -> None:
    """A chain is put in order from whatever lies around, and ends where nothing fits."""
    leaf = pki.key(Profile.SIGNING).certificate
    issuing, root = pki.issuing.certificate, pki.root.certificate
    assert chain_of(leaf, [root, leaf, issuing]) == (issuing, root)
    assert chain_of(leaf, [root]) == ()
    assert chain_of(root, [root]) == ()


async def test_names_in_requests(token: Token) -> None:
    """A request made in the token carries the Chinese name it was given."""
    csr = x509.load_der_x509_csr(await token.driver.generate(await _device(token), PIN, "k", name(common="王小明")))
    assert csr.is_signature_valid
    assert "王小明" in csr.subject.rfc4514_string()
    assert csr.public_bytes(Encoding.PEM)


async def test_spoilt_files_in_the_folder(visit: Visit, pki: Pki, config: Config) -> None:
    """Key files without a key, and requests that are none, are no obstacle to the others."""
    key = pki.key_file(Profile.SIGN_IN, config.keys, "登录")
    members = json.loads((config.keys / "登录.oakey").read_bytes())
    del members["key"]
    (config.keys / "缺损.oakey").write_text(json.dumps(members))
    (config.keys / "缺损.csr").write_text("no request")
    async with visit() as page:
        assert len(await page.get("certificates", usage="sign-in")) == 1
        written = {"token": "software", "certificate": der(key.certificate)}
        assert await page.refusal("write-certificate", **written) == "certificate.no_key"


async def test_what_nobody_foresaw(visit: Visit, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unforeseen failure is answered as one, and its cause is logged without the PIN."""
    (tmp_path / "file").write_text("where a folder should be")
    async with visit(key_folder=str(tmp_path / "file")) as page:
        page.person = Person([PIN])
        members = {"token": "software", "usage": "signing", "label": "新密钥", "subject": SUBJECT}
        assert await page.refusal("generate", **members) == "agent.internal"
        assert (await page.get("hello"))["agent"] == "oa-agent"
    assert "FileExistsError" in caplog.text
    assert PIN not in caplog.text
