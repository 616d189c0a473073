"""What the agent does for a page or for the command line: every command, whatever brought it.

Whatever uses a key follows one order: check everything, take the key for one operation, show and ask, check the
time again, charge the attempt, use the key, compare the signature with the certificate. A PIN lives from its entry
to the end of that operation, a batch included, and is kept nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto.authority import name
from crypto.challenge import NONCE_BYTES, challenge_bytes
from crypto.keys import serial_text
from crypto.profiles import Profile, fits
from crypto.suite import suite_for
from oa_agent import VERSION
from oa_agent.errors import (
    BAD_CERTIFICATE,
    BAD_NONCE,
    BUSY,
    MALFORMED,
    NO_CERTIFICATE,
    NO_OFFICER,
    NO_TOKEN,
    PIN_LOCKED,
    SIGNATURE_MISMATCH,
    TOKEN_SILENT,
    WRONG_PIN,
    WRONG_USAGE,
    Refused,
    WrongPin,
)
from oa_agent.pin import Dialogue, PinEntry, Prompt, Push
from oa_agent.protocol import (
    SUBPROTOCOL,
    About,
    AgentCommand,
    Authenticate,
    Authenticated,
    CertificateEntry,
    Certificates,
    Generate,
    Generated,
    Hello,
    KeyRemoved,
    Result,
    Sign,
    Signed,
    SignedBatch,
    TokenEntry,
    Tokens,
    Unlock,
    Unlocked,
    WriteCertificate,
    Written,
    b64,
    unb64,
    unb64url,
)
from oa_agent.requests import Shown, SignatureRequest, read_request
from oa_agent.retries import RetryCounter
from oa_agent.sources import Device, KeySource, StoredKey, certificate_id
from oa_agent.trust import RequestKeys

USABLE = frozenset({Profile.SIGN_IN, Profile.SIGNING, Profile.SEAL})
USAGE_WORDS = {Profile.SIGN_IN: "登录密钥", Profile.SIGNING: "签名密钥", Profile.SEAL: "印章密钥"}

OFFICERS_PIN = Shown("请管理员输入管理员 PIN", ("介质初始化时设置的管理员 PIN（SO PIN），不是用户 PIN",))
NEW_PIN = Shown("请持有人设置新的用户 PIN", ("由本人输入两次，不要告诉管理员",))

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the origin that the browser vouches for, or the command line names; `push` tells it something."""

    origin: str
    push: Push


@dataclass(frozen=True, slots=True)
class Found:
    """A key with the source that can use it."""

    key: StoredKey
    source: KeySource


class Agent:
    """The commands, over the key sources of one user."""

    def __init__(
        self, sources: Sequence[KeySource], *, entry: PinEntry, retries: RetryCounter, request_keys: RequestKeys
    ) -> None:
        self._sources = sources
        self._entry = entry
        self._retries = retries
        self._request_keys = request_keys
        self._at_work = asyncio.Lock()

    async def perform(self, command: AgentCommand, caller: Caller) -> Result:  # noqa: PLR0911 - one line a command
        """Do what a command says. Raises Refused."""
        match command:
            case Hello():
                return About("oa-agent", VERSION, SUBPROTOCOL, self._entry.name)
            case Tokens():
                return tuple(TokenEntry(device.id, device.label, device.kind) for device, _ in await self._devices())
            case Certificates():
                return await self.certificates(command.usage)
            case Authenticate():
                return await self.authenticate(command, caller)
            case Sign():
                return await self.sign(command, caller)
            case Generate():
                return await self.generate(command, caller)
            case WriteCertificate():
                return await self.write_certificate(command, caller)
            case Unlock():
                return await self.unlock(command, caller)

    async def certificates(self, usage: Profile) -> tuple[CertificateEntry, ...]:
        """The certificates that are fit for `usage`, each once, wherever it lies."""
        if usage not in USABLE:
            raise Refused(MALFORMED)
        return tuple(_entry(found.key, usage) for found in await self._keys() if fits(found.key.certificate, usage))

    async def authenticate(self, command: Authenticate, caller: Caller) -> Authenticated:
        """Answer a challenge for the caller's own origin."""
        nonce = unb64url(command.nonce, BAD_NONCE)
        if len(nonce) != NONCE_BYTES:
            raise Refused(BAD_NONCE)
        found = await self._find(command.certificate_id, Profile.SIGN_IN)
        message = challenge_bytes(caller.origin, nonce)
        (signature,) = await self._use(found, caller, "登录", (), [message])
        return Authenticated(
            b64(signature), _der(found.key.certificate), tuple(_der(above) for above in found.key.chain)
        )

    async def sign(self, command: Sign, caller: Caller) -> Signed | SignedBatch:
        """Sign one request or a batch of them, after showing what each of them is about."""
        if (command.request is None) == (command.requests is None):
            raise Refused(MALFORMED)
        requests = [
            read_request(token, origin=caller.origin, keys=self._request_keys, offered=command.request_key)
            for token in command.requests or (command.request or "",)
        ]
        found = await self._find(command.certificate_id, *{request.usage for request in requests})
        for request in requests:
            request.check_certificate(found.key.certificate)
        signatures = await self._sign_requests(found, caller, requests)
        if command.requests is None:
            return Signed(b64(signatures[0]))
        return SignedBatch(tuple(b64(signature) for signature in signatures))

    async def generate(self, command: Generate, caller: Caller) -> Generated:
        """Generate a key in a token; its certificate request names `subject`."""
        device, source = await self._device(command.token)
        if command.usage not in USABLE:
            raise Refused(MALFORMED)
        wanted = command.subject
        subject = name(common=wanted.common, organ=wanted.organ, unit=wanted.unit, number=wanted.number)
        shown = Shown(f"生成{USAGE_WORDS[command.usage]}", (f"名称：{command.label}", f"申请人：{wanted.common}"))
        prompt = Prompt("生成密钥", caller.origin, device.label, wanted.common, (shown,), new=device.kind == "software")
        csr = await self._with_pin(
            device, caller, prompt, lambda pin: source.generate(device, pin, command.label, subject)
        )
        return Generated(x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM).decode())

    async def write_certificate(self, command: WriteCertificate, caller: Caller) -> Written:
        """Write an issued certificate beside its key."""
        device, source = await self._device(command.token)
        certificate, *chain = (_load(text) for text in (command.certificate, *command.chain))
        if not device.writes_with_pin:
            await source.write_certificate(device, "", certificate, chain)
            return Written(certificate_id(certificate))
        shown = Shown("写入证书", (f"证书：{_common(certificate)}", f"颁发者：{certificate.issuer.rfc4514_string()}"))
        prompt = Prompt("写入证书", caller.origin, device.label, _common(certificate), (shown,))
        await self._with_pin(
            device, caller, prompt, lambda pin: source.write_certificate(device, pin, certificate, chain)
        )
        return Written(certificate_id(certificate))

    async def unlock(self, command: Unlock, caller: Caller) -> Unlocked:
        """Give a token a new user PIN. Wrong PINs of its security officer are counted as the user's are, by themselves."""
        device, source = await self._device(command.token)
        if device.kind == "software":
            raise Refused(NO_OFFICER)
        officer = replace(device, place=device.place and f"{device.place}:so")
        asking = Prompt("解锁：管理员 PIN", caller.origin, device.label, "管理员", (OFFICERS_PIN,))
        renewing = Prompt("解锁：新的用户 PIN", caller.origin, device.label, "持有人本人", (NEW_PIN,), new=True)

        async with self._dialogue(caller) as dialogue:

            async def reset(so_pin: str) -> None:
                await source.reset_pin(device, so_pin, await dialogue.ask(renewing))

            await self._asked(dialogue, officer, asking, reset)
        if device.place is not None:
            self._retries.clear(device.place)
        return Unlocked(device.id)

    async def watch(self, key_id: str, caller: Caller, *, every: float) -> Callable[[], Coroutine[Any, Any, None]]:
        """Find the key now; what is returned waits until it is gone and pushes `key-removed`."""
        found = await self._find(key_id)

        async def until_removed() -> None:
            while await self._is_present(found):  # noqa: ASYNC110 - drivers tell of no removal, so they are polled
                await asyncio.sleep(every)
            await caller.push(KeyRemoved(key_id))

        return until_removed

    # --- one operation ------------------------------------------------------------------------------------------------

    async def _sign_requests(
        self, found: Found, caller: Caller, requests: Sequence[SignatureRequest]
    ) -> Sequence[bytes]:
        items = [request.shown for request in requests]
        unknown = next((request.key for request in requests if request.key.first_use), None)
        if unknown is not None:
            lines = (f"公钥指纹：{unknown.fingerprint}", "请与管理员核对；输入 PIN 即表示信任此服务器")
            items.insert(0, Shown("首次使用此服务器", lines))

        def check_again() -> None:
            for request in requests:
                request.check_time()

        heading = "签名" if len(requests) == 1 else f"批量签名（共{len(requests)}项）"
        messages = [request.attributes for request in requests]
        signatures = await self._use(found, caller, heading, tuple(items), messages, check_again=check_again)
        if unknown is not None:
            self._request_keys.keep(unknown)
        return signatures

    async def _use(
        self,
        found: Found,
        caller: Caller,
        heading: str,
        items: tuple[Shown, ...],
        messages: Sequence[bytes],
        *,
        check_again: Callable[[], None] = lambda: None,
    ) -> Sequence[bytes]:
        """Sign `messages` with one PIN, and compare each signature with the certificate before it leaves."""
        key = found.key
        prompt = Prompt(heading, caller.origin, key.device.label, _common(key.certificate), items)

        async def sign(pin: str) -> list[bytes]:
            check_again()
            return await found.source.sign(key, pin, messages)

        signatures = await self._with_pin(key.device, caller, prompt, sign)
        public_key = key.certificate.public_key()
        suite = suite_for(public_key)
        for message, signature in zip(messages, signatures, strict=True):
            if not suite.verify(public_key, signature, message):
                raise Refused(SIGNATURE_MISMATCH)
        return signatures

    async def _with_pin(
        self, device: Device, caller: Caller, prompt: Prompt, act: Callable[[str], Awaitable[_T]]
    ) -> _T:
        async with self._dialogue(caller) as dialogue:
            return await self._asked(dialogue, device, prompt, act)

    @asynccontextmanager
    async def _dialogue(self, caller: Caller) -> AsyncIterator[Dialogue]:
        """The conversation of one operation. One at a time: Raises Refused while another is under way."""
        if self._at_work.locked():
            raise Refused(BUSY)
        async with self._at_work, self._entry.dialogue(caller.push) as dialogue:
            yield dialogue

    async def _asked(
        self, dialogue: Dialogue, device: Device, prompt: Prompt, act: Callable[[str], Awaitable[_T]]
    ) -> _T:
        """Ask for the PIN until it is right, locked or given up, and act with it."""
        while True:
            left = self._left(device)
            pin = await dialogue.ask(replace(prompt, attempts_left=left))
            try:
                return await self._charged(device, pin, act)
            except WrongPin as wrong:
                _log.warning("wrong PIN for %r of %s", device.label, device.place or device.id)
                prompt = replace(prompt, problem=wrong.reason.zh)

    def _left(self, device: Device) -> int | None:
        """The attempts that remain, None when the device counts them. Raises Refused when there are none."""
        if device.place is None:
            return None
        left = self._retries.left(device.place)
        if left == 0:
            raise Refused(PIN_LOCKED)
        return left

    async def _charged(self, device: Device, pin: str, act: Callable[[str], Awaitable[_T]]) -> _T:
        """Act with the attempt charged beforehand, and given back when the PIN was not judged."""
        if device.place is None:
            return await act(pin)
        self._retries.charge(device.place)
        try:
            result = await act(pin)
        except Refused as refusal:
            # A silent token may yet judge the PIN, so its attempt stays charged as a wrong one does.
            if refusal.reason not in {WRONG_PIN, TOKEN_SILENT}:
                self._retries.refund(device.place)
            raise
        self._retries.clear(device.place)
        return result

    # --- finding ------------------------------------------------------------------------------------------------------

    async def _devices(self) -> list[tuple[Device, KeySource]]:
        return [(device, source) for source in self._sources for device in await _listed(source.devices())]

    async def _device(self, device_id: str) -> tuple[Device, KeySource]:
        for device, source in await self._devices():
            if device.id == device_id:
                return device, source
        raise Refused(NO_TOKEN)

    async def _keys(self) -> list[Found]:
        """All keys; of a certificate that lies in two places, the first."""
        found: dict[str, Found] = {}
        for source in self._sources:
            for key in await _listed(source.keys()):
                found.setdefault(key.id, Found(key, source))
        return list(found.values())

    async def _find(self, key_id: str, *usages: Profile) -> Found:
        """The key with this certificate, fit for every one of `usages`."""
        found = next((found for found in await self._keys() if found.key.id == key_id), None)
        if found is None:
            raise Refused(NO_CERTIFICATE)
        if not all(fits(found.key.certificate, usage) for usage in usages):
            raise Refused(WRONG_USAGE)
        return found

    @staticmethod
    async def _is_present(found: Found) -> bool:
        """Whether the key is still there; a token that does not answer now is asked again next time."""
        try:
            return await found.source.is_present(found.key)
        except Refused:
            return True


async def _listed(listing: Awaitable[list[_T]]) -> list[_T]:
    """What a source lists; one that fails must not hide the others."""
    try:
        return await listing
    except Refused as refusal:
        _log.warning("a token could not be listed: %s", refusal.reason.code)
        return []


def _entry(key: StoredKey, usage: Profile) -> CertificateEntry:
    certificate = key.certificate
    return CertificateEntry(
        id=key.id,
        token=key.device.label,
        label=key.label,
        usage=usage,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=serial_text(certificate),
        not_after=f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        certificate=_der(certificate),
        chain=tuple(_der(above) for above in key.chain),
    )


def _common(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def _der(certificate: x509.Certificate) -> str:
    return b64(certificate.public_bytes(Encoding.DER))


def _load(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(unb64(text, BAD_CERTIFICATE))
    except ValueError as error:
        raise Refused(BAD_CERTIFICATE) from error
