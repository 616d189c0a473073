"""The signer: a child process that alone holds the authority's keys, and the client that speaks to it.

The parent sends one length-prefixed message per request over the child's standard input and reads one answer; the first
message carries the passphrase of the key files. The child certifies only through `Authority` — lint, single-use ticket,
issue — so not even the parent can have anything signed that breaks its profile. What it issues it writes down under its
serial number before it answers, so an order that is given again, because a process died over it, makes no second
certificate. It has no socket and opens no other files than its keys and these.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import Authority, Order, create_root, name
from crypto.cms import finish_cms, prepare_cms
from crypto.errors import CryptoError
from crypto.keys import SoftKey, open_key_file, read_csr, seal_key_file
from crypto.profiles import SPECS, UNREADABLE, Profile
from crypto.revocation import Revocation, Standing, answer_ocsp, build_crl, read_ocsp_request
from crypto.suite import INTL
from crypto.timestamp import TimestampAuthority
from oa_server.core.errors import Reason, Unavailable

SIGNER_AWAY = Reason(
    "pki.signer_away", "签发服务暂时不可用，操作未生效，请稍后重试", "The signer is away; nothing was changed."
)

_LENGTH = struct.Struct(">I")
MESSAGE_LIMIT = 32 << 20
ANSWER_SECONDS = 20.0
CLOCK_TOLERANCE = timedelta(minutes=5)
RENEWAL = timedelta(days=90)
ROOT, ISSUING, STAMP, HEADS, OCSP = "root", "issuing", "timestamp", "heads", "ocsp"
ISSUED = "issued"
NOT_WRITTEN = "pki.not_written"  # The order is good; what it asks for can be had another time.

# The keys that are replaced by themselves before their certificates run out, and their profiles.
SERVICES = {HEADS: Profile.SIGNING, OCSP: Profile.OCSP}
SERVICE_NAMES = {HEADS: "审计日志", OCSP: "证书状态服务"}


class Certify(msgspec.Struct, tag="certify"):
    """Certify a request's key for a subject. `csr` is DER; its own signature is proof of possession.

    `serial` (hex) is the ticket: given again, the order gets the certificate that was made for it.
    """

    profile: str
    csr: bytes
    common: str
    organ: str
    unit: str
    number: str
    not_before: datetime
    not_after: datetime
    serial: str
    crl_url: str = ""
    ocsp_url: str = ""


class RevocationItem(msgspec.Struct):
    serial: str
    at: datetime
    reason: str


class BuildCrl(msgspec.Struct, tag="crl"):
    """Build the issuing authority's list, or the root's (which has revoked nobody)."""

    issuer: str
    entries: list[RevocationItem]
    number: int
    this_update: datetime
    next_update: datetime


class StampDigest(msgspec.Struct, tag="stamp"):
    """A timestamp token over a SHA-256 digest."""

    digest: bytes
    at: datetime


class AnswerTimestamp(msgspec.Struct, tag="timestamp"):
    """The response to a timestamp request (RFC 3161, 2.4.2)."""

    request: bytes
    at: datetime


class AnswerOcsp(msgspec.Struct, tag="ocsp"):
    """The answer to a question about one of the issuing authority's certificates, which the register knows or not."""

    request: bytes
    is_known: bool
    revocation: RevocationItem | None
    at: datetime
    next_update: datetime


class SignHead(msgspec.Struct, tag="head"):
    """A detached CMS over the head of the audit log, with a timestamp of its moment."""

    content: bytes
    at: datetime


# What a child that has died, or hangs, makes its parent meet.
_AWAY = (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError)

Request = Certify | BuildCrl | StampDigest | AnswerTimestamp | AnswerOcsp | SignHead


class Answer(msgspec.Struct):
    """What came of a request: bytes, or a code and a message."""

    result: bytes = b""
    code: str = ""
    message: str = ""


def create_authority(directory: Path, passphrase: str, *, organ: str, at: datetime) -> None:
    """Make the keys and certificates of a new installation's authority: root, issuing, timestamps, audit heads.

    The root's key is opened for one thing only afterwards: its own revocation list.
    """
    start = at - CLOCK_TOLERANCE
    root_key, issuing_key = ec.generate_private_key(ec.SECP384R1()), INTL.generate_key()
    root = create_root(
        root_key, name(common=f"{organ}电子政务根证书", organ=organ), start, start + SPECS[Profile.ROOT].life
    )
    issuing_order = _order(
        Profile.ISSUING, issuing_key, f"{organ}电子政务签发证书", organ, start, start + SPECS[Profile.ISSUING].life
    )
    issuing = Authority(issuing_key, root.certify(issuing_order), (root.certificate,))
    end = issuing.certificate.not_valid_after_utc
    _write_key(directory, ROOT, passphrase, root_key, [root.certificate])
    for label, profile, common in (
        (STAMP, Profile.TIMESTAMP, f"{organ}时间戳服务"),
        (HEADS, Profile.SIGNING, f"{organ}{SERVICE_NAMES[HEADS]}"),
    ):
        key = INTL.generate_key()
        life = min(end - start, SPECS[profile].life)
        certificate = issuing.certify(_order(profile, key, common, organ, start, start + life))
        _write_key(directory, label, passphrase, key, [certificate, *issuing.chain])
    _write_key(directory, ISSUING, passphrase, issuing_key, list(issuing.chain))


def _order(
    profile: Profile, key: ec.EllipticCurvePrivateKey, common: str, organ: str, start: datetime, end: datetime
) -> Order:
    return Order(profile, key.public_key(), name(common=common, organ=organ), start, end)


def _write_key(
    directory: Path,
    label: str,
    passphrase: str,
    key: ec.EllipticCurvePrivateKey,
    certificates: Sequence[x509.Certificate],
) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory / f"{label}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(seal_key_file(key, passphrase, certificates))
        file.flush()
        os.fsync(file.fileno())


class Desk:
    """The child's side: the opened keys, and what each request does with them."""

    def __init__(self, directory: Path, passphrase: str) -> None:
        self._directory, self._passphrase = directory, passphrase
        self._issuing_key = self._open(ISSUING)
        self._issuing = Authority(self._issuing_key.private_key, self._issuing_key.certificate, self._issuing_key.chain)
        self._stamps = TimestampAuthority(self._open(STAMP))
        self._services: dict[str, SoftKey] = {}

    def _open(self, label: str) -> SoftKey:
        return open_key_file((self._directory / f"{label}.key").read_bytes(), self._passphrase)

    def serve(self, request: Request) -> bytes:
        """The bytes that a request asks for. Raises CryptoError."""
        match request:
            case Certify():
                return self._certify(request)
            case BuildCrl():
                return self._crl(request)
            case StampDigest():
                return self._stamp(request.digest, request.at)
            case AnswerTimestamp():
                return self._stamps.answer(request.request, at=request.at, serial=secrets.randbits(63))
            case AnswerOcsp():
                return self._answer_ocsp(request)
            case SignHead():
                return self._sign_head(request)

    def _stamp(self, digest: bytes, at: datetime) -> bytes:
        return self._stamps.stamp(digest, at=at, serial=secrets.randbits(63))

    def _sign_head(self, request: SignHead) -> bytes:
        key = self._service_key(HEADS, request.at)
        prepared = prepare_cms(request.content, key.certificate, signing_time=request.at)
        signature = key.sign(prepared.signed_attributes)
        stamp = self._stamp(sha256(signature).digest(), request.at)
        return finish_cms(prepared, signature, chain=key.chain, timestamp=stamp)

    def _answer_ocsp(self, request: AnswerOcsp) -> bytes:
        key, item = self._service_key(OCSP, request.at), request.revocation
        known = Standing.GOOD if request.is_known else Standing.UNKNOWN
        return answer_ocsp(
            read_ocsp_request(request.request),
            issuer=self._issuing.certificate,
            responder=Authority(key.private_key, key.certificate, key.chain),
            standing=Revocation(int(item.serial, 16), item.at, item.reason) if item else known,
            at=request.at,
            next_update=request.next_update,
        )

    def _service_key(self, label: str, at: datetime) -> SoftKey:
        """The key of a service: a new one in good time before its certificate runs out, for nobody would think of asking."""
        if self._is_due(label, at) and (self._directory / f"{label}.key").exists():
            self._services[label] = self._open(label)  # The signer of another process may have been here.
        if self._is_due(label, at):
            self._renew(label, at)
        return self._services[label]

    def _is_due(self, label: str, at: datetime) -> bool:
        """Whether there is no key, or its certificate soon runs out and the next would last longer, or was made while a
        clock was fast."""
        if label not in self._services:
            return True
        certificate = self._services[label].certificate
        runs_out = certificate.not_valid_after_utc
        is_last = runs_out >= self._issuing.certificate.not_valid_after_utc
        return at < certificate.not_valid_before_utc or (at > runs_out - RENEWAL and not is_last)

    def _renew(self, label: str, at: datetime) -> None:
        """Make the next key of a service, and put its file in the place of the old one's in one step."""
        key, start, profile = INTL.generate_key(), at - CLOCK_TOLERANCE, SERVICES[label]
        end = min(start + SPECS[profile].life, self._issuing.certificate.not_valid_after_utc)
        certificate = self._issuing.certify(Order(profile, key.public_key(), self._subject_of(label), start, end))
        fresh = f"{label}-{certificate.serial_number:x}"
        path = self._directory / f"{fresh}.key"
        try:
            _write_key(self._directory, fresh, self._passphrase, key, [certificate, *self._issuing.chain])
            path.replace(self._directory / f"{label}.key")
        except OSError as error:
            path.unlink(missing_ok=True)
            old = self._services.get(label)
            if old is None or not old.certificate.not_valid_before_utc <= at <= old.certificate.not_valid_after_utc:
                raise CryptoError("pki.not_renewed", f"the key for {label} cannot be renewed: {error}") from error
            return  # On a full disk the old key goes on as long as it is good.
        self._services[label] = self._open(label)

    def _subject_of(self, label: str) -> x509.Name:
        """Whose a service's next certificate is: the same as the last one's, or the authority's own service."""
        if label in self._services:
            return self._services[label].certificate.subject
        (organ,) = self._issuing.certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
        return name(common=f"{organ.value!s}{SERVICE_NAMES[label]}", organ=str(organ.value))

    def _certify(self, request: Certify) -> bytes:
        csr = read_csr(request.csr)
        profile = Profile(request.profile)
        if SPECS[profile].is_authority:
            raise CryptoError("pki.no_authorities", "this authority certifies no other authority")
        if (known := self._issued(request.serial)) is not None:
            if known.public_key() != csr.public_key():
                raise CryptoError("pki.ticket_used", "this ticket was used for another key")
            return known.public_bytes(Encoding.DER)
        subject = name(common=request.common, organ=request.organ, unit=request.unit, number=request.number)
        order = Order(
            profile,
            csr.public_key(),
            subject,
            request.not_before,
            request.not_after,
            crl_url=request.crl_url or None,
            ocsp_url=request.ocsp_url or None,
            serial=int(request.serial, 16),
        )
        return self._write_down(request.serial, self._issuing.certify(order).public_bytes(Encoding.DER))

    def _issued(self, serial: str) -> x509.Certificate | None:
        """The certificate that was made for a ticket, if one was."""
        path = self._place_of(serial)
        return x509.load_der_x509_certificate(path.read_bytes()) if path.exists() else None

    def _place_of(self, serial: str) -> Path:
        return self._directory / ISSUED / f"{int(serial, 16):x}.der"

    def _write_down(self, serial: str, certificate: bytes) -> bytes:
        """Keep a certificate under its ticket, durable, before anybody learns that there is one."""
        path = self._place_of(serial)
        draft = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with draft.open("wb") as file:
                file.write(certificate)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise CryptoError(NOT_WRITTEN, f"the certificate cannot be written down: {error}") from error
        return certificate

    def _crl(self, request: BuildCrl) -> bytes:
        authority = self._issuing
        if request.issuer == ROOT:
            root = self._open(ROOT)
            authority = Authority(root.private_key, root.certificate)
        entries = [Revocation(int(item.serial, 16), item.at, item.reason) for item in request.entries]
        return build_crl(
            authority, entries, number=request.number, this_update=request.this_update, next_update=request.next_update
        )


def main() -> None:
    """The child: read the passphrase, then serve until the parent closes our input."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    desk = Desk(Path(sys.argv[1]), _read(source).decode())
    decoder = msgspec.msgpack.Decoder(Request)
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            message = _read(source)
            try:
                answer = Answer(desk.serve(decoder.decode(message)))
            except CryptoError as error:
                answer = Answer(code=error.code, message=error.message)
            except UNREADABLE as error:
                answer = Answer(code="pki.bad_request", message=str(error))
            data = msgspec.msgpack.encode(answer)
            sink.write(_LENGTH.pack(len(data)) + data)
            sink.flush()


def _read(source: BinaryIO) -> bytes:
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    if length > MESSAGE_LIMIT:
        raise EOFError
    return source.read(length)


class Signer:
    """The parent's side: starts the child when it is needed, and anew when it has died."""

    def __init__(self, directory: Path, passphrase: str) -> None:
        self.directory = directory
        self.passphrase = passphrase
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def ask(self, request: Request) -> bytes:
        """The answer's bytes. Raises Unavailable when the child cannot be reached, CryptoError when it refuses."""
        async with self._turn:
            try:
                answer = await self._try(request)
            except _AWAY:
                answer = await self._try_again(request)
        if answer.code:
            raise CryptoError(answer.code, answer.message)
        return answer.result

    async def _try_again(self, request: Request) -> Answer:
        try:
            return await self._try(request)
        except _AWAY as error:
            raise Unavailable(SIGNER_AWAY) from error

    async def _try(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(request)
        except BaseException:
            # Also when the caller has gone away: the answer that nobody waited for would be read as the next one's.
            await self._stop()
            raise

    async def _ask(self, request: Request) -> Answer:
        child = await self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        data = msgspec.msgpack.encode(request)
        child.stdin.write(_LENGTH.pack(len(data)) + data)
        await child.stdin.drain()
        (length,) = _LENGTH.unpack(await child.stdout.readexactly(_LENGTH.size))
        return msgspec.msgpack.decode(await child.stdout.readexactly(length), type=Answer)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "oa_server.pki.signer",
                str(self.directory),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert self._child.stdin is not None
            secret = self.passphrase.encode()
            self._child.stdin.write(_LENGTH.pack(len(secret)) + secret)
            await self._child.stdin.drain()
        return self._child

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def close(self) -> None:
        """End the child; it also ends by itself when this process does."""
        child = self._child
        if child is not None and child.stdin is not None:
            child.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await child.wait()
        await self._stop()

    @property
    def exists(self) -> bool:
        """Whether the authority's keys have been made."""
        return (self.directory / f"{ISSUING}.key").exists()


if __name__ == "__main__":
    main()
