"""The signer: a child process that is alone with the authority's keys, and whose answers are never mixed up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.authority import name, new_serial
from crypto.cms import open_cms
from crypto.errors import CryptoError, KeyRefused
from crypto.keys import make_csr, read_certificates
from oa_server.core.errors import Unavailable
from oa_server.pki import signer as signer_module
from oa_server.pki.signer import (
    ISSUING,
    RENEWAL,
    ROOT,
    BuildCrl,
    Certify,
    Desk,
    RevocationItem,
    Signer,
    SignHead,
    StampDigest,
    create_authority,
)

PASSPHRASE = "correct horse battery"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority") / "keys"
    create_authority(folder, PASSPHRASE, organ="江城市", at=NOW)
    return folder


@pytest.fixture
async def signer(authority: Path) -> AsyncIterator[Signer]:
    found = Signer(authority, PASSPHRASE)
    yield found
    await found.close()


def certify(**changes: Any) -> Certify:
    order: dict[str, Any] = {
        "profile": "signing", "csr": make_csr(ec.generate_private_key(ec.SECP256R1()), name(common="x")),
        "common": "王建国", "organ": "江城市", "unit": "", "number": "1",
        "not_before": NOW, "not_after": NOW + timedelta(days=30), "serial": f"{new_serial():x}",
    }  # fmt: skip
    return Certify(**(order | changes))


def crl(which: str = ISSUING, *entries: RevocationItem) -> BuildCrl:
    return BuildCrl(which, list(entries), 1, NOW, NOW + timedelta(days=7))


async def stamped(signer: Signer, text: bytes) -> bool:
    """Whether the signer's answer is a timestamp over this very text."""
    digest = sha256(text).digest()
    token = await signer.ask(StampDigest(digest, NOW))
    return digest in token


@contextmanager
def frozen(signer: Signer) -> Iterator[None]:
    """The child does nothing for a while, as on a machine that is out of breath."""
    child = signer._child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if child.returncode is None:
            os.kill(child.pid, signal.SIGCONT)


async def test_keys_are_its_owners_alone(authority: Path) -> None:
    """The key files are readable by their owner only, and an authority is never made over another."""
    assert {path.stat().st_mode & 0o777 for path in authority.iterdir()} == {0o600}
    assert authority.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        create_authority(authority, PASSPHRASE, organ="江城市", at=NOW)


async def test_a_child_that_dies_is_started_anew(signer: Signer) -> None:
    """A killed child costs nobody an answer."""
    assert await stamped(signer, b"one")
    assert signer._child is not None
    os.kill(signer._child.pid, signal.SIGKILL)
    assert await stamped(signer, b"two")


async def test_an_answer_that_nobody_waits_for(signer: Signer) -> None:
    """Whoever goes away while the child works leaves no answer behind for the next to take."""
    assert await stamped(signer, b"before")
    with frozen(signer):
        waiting = asyncio.create_task(signer.ask(StampDigest(sha256(b"gone").digest(), NOW)))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await stamped(signer, b"after")


async def test_a_child_that_hangs(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not answer is ended and asked anew."""
    assert await stamped(signer, b"before")
    monkeypatch.setattr(signer_module, "ANSWER_SECONDS", 5.0)
    with frozen(signer):
        assert await stamped(signer, b"after")


async def test_a_child_that_cannot_open_its_keys(authority: Path) -> None:
    """Without the right passphrase the signer is away, and says so."""
    signer = Signer(authority, "wrong")
    with pytest.raises(Unavailable) as refused:
        await signer.ask(StampDigest(bytes(32), NOW))
    assert refused.value.code == "pki.signer_away"
    with pytest.raises(KeyRefused):
        Desk(authority, "wrong")
    await signer.close()


async def test_many_at_once(signer: Signer) -> None:
    """Everybody who asks at the same moment gets the answer to their own question."""
    assert all(await asyncio.gather(*(stamped(signer, f"{n}".encode()) for n in range(20))))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"csr": b"garbage"}, "key.bad_request"),
        ({"profile": "emperor"}, "pki.bad_request"),
        ({"profile": "issuing"}, "pki.no_authorities"),
        ({"profile": "root"}, "pki.no_authorities"),
        ({"not_after": NOW + timedelta(days=365 * 4)}, "certificate.lint"),
        ({"not_after": NOW - timedelta(days=1)}, "certificate.order"),
        ({"common": "名" * 65}, "pki.bad_request"),
        ({"common": "王\n建国"}, "certificate.lint"),
    ],
)
async def test_what_it_never_certifies(signer: Signer, changes: dict[str, Any], code: str) -> None:
    """Not even the server can have it sign what breaks a profile; it tells why and goes on."""
    with pytest.raises(CryptoError) as refused:
        await signer.ask(certify(**changes))
    assert refused.value.code == code
    assert x509.load_der_x509_certificate(await signer.ask(certify())).subject


def test_the_desk(authority: Path) -> None:
    """Each question has its answer: a certificate, the list of either authority, a timestamp, a signed head."""
    desk = Desk(authority, PASSPHRASE)
    issuing, root = read_certificates((authority / f"{ISSUING}.key").read_bytes())
    assert x509.load_der_x509_certificate(desk.serve(certify())).issuer == issuing.subject
    entry = RevocationItem("ab12", NOW, "superseded")
    found = x509.load_der_x509_crl(desk.serve(crl(ISSUING, entry)))
    assert [(e.serial_number, found.is_signature_valid(issuing.public_key())) for e in found] == [(0xAB12, True)]
    assert x509.load_der_x509_crl(desk.serve(crl(ROOT))).is_signature_valid(root.public_key())
    token = desk.serve(StampDigest(sha256(b"x").digest(), NOW))
    assert sha256(b"x").digest() in token
    assert desk.serve(SignHead(b"head", NOW))


@pytest.mark.parametrize("request_", [certify(serial="xyz"), crl(ISSUING, RevocationItem("xyz", NOW, "superseded"))])
async def test_what_it_cannot_read(signer: Signer, request_: Any) -> None:
    """A question that holds what nobody can read is refused, and does not end the child."""
    assert await stamped(signer, b"before")
    pid = signer._child.pid  # type: ignore[union-attr]
    with pytest.raises(CryptoError) as refused:
        await signer.ask(request_)
    assert refused.value.code == "pki.bad_request"
    assert await stamped(signer, b"after")
    assert signer._child.pid == pid  # type: ignore[union-attr]


def test_a_ticket_is_good_for_one_certificate(own: Path) -> None:
    """An order that is given again, here or to another process, gets the certificate that was made for it; another key
    gets none with that ticket."""
    order = certify()
    first = Desk(own, PASSPHRASE).serve(order)
    assert x509.load_der_x509_certificate(first).serial_number == int(order.serial, 16)
    later = msgspec.structs.replace(order, not_before=NOW + timedelta(minutes=1))
    assert Desk(own, PASSPHRASE).serve(later) == first
    with pytest.raises(CryptoError) as refused:
        Desk(own, PASSPHRASE).serve(certify(serial=order.serial))
    assert refused.value.code == "pki.ticket_used"


def test_nothing_is_issued_that_cannot_be_written_down(own: Path) -> None:
    """On a full disk no certificate leaves the signer, and the order is good for another time."""
    (own / "issued").write_bytes(b"")  # Where a folder should be, nothing can be written.
    desk, order = Desk(own, PASSPHRASE), certify()
    with pytest.raises(CryptoError) as refused:
        desk.serve(order)
    assert refused.value.code == "pki.not_written"
    (own / "issued").unlink()
    assert desk.serve(order)


# --- the key for heads of the audit log -------------------------------------------------------------------------------


def head_certificate(desk: Desk, at: datetime) -> x509.Certificate:
    """The certificate under a head that is signed at this moment."""
    return open_cms(desk.serve(SignHead(b"head", at))).signer


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An authority of the test's own, founded now."""
    create_authority(tmp_path / "keys", PASSPHRASE, organ="江城市", at=NOW)
    return tmp_path / "keys"


def test_heads_are_renewed_in_time(own: Path) -> None:
    """Well before it runs out, the certificate for heads has a successor of the same name, which other processes take over."""
    desk, other = Desk(own, PASSPHRASE), Desk(own, PASSPHRASE)
    first = head_certificate(desk, NOW)
    almost = first.not_valid_after_utc - RENEWAL
    assert head_certificate(desk, almost) == first
    second = head_certificate(desk, almost + timedelta(days=1))
    assert second.not_valid_after_utc > first.not_valid_after_utc + timedelta(days=900)
    assert (second.subject, second.public_key() == first.public_key()) == (first.subject, False)
    assert head_certificate(other, almost + timedelta(days=2)) == second
    assert head_certificate(Desk(own, PASSPHRASE), almost + timedelta(days=3)) == second
    assert {(path.suffix, path.stat().st_mode & 0o777) for path in own.iterdir()} == {(".key", 0o600)}
    assert len(list(own.iterdir())) == 4


def test_heads_after_years_of_standing_still(own: Path) -> None:
    """A server that comes back after its heads' certificate ran out signs with a good one; at the issuer's end there is no next."""
    desk = Desk(own, PASSPHRASE)
    late = NOW + timedelta(days=4 * 365)
    assert head_certificate(desk, late).not_valid_after_utc > late + timedelta(days=1000)
    last = head_certificate(desk, NOW + timedelta(days=9 * 365))
    assert head_certificate(desk, last.not_valid_after_utc - timedelta(hours=1)) == last


def test_heads_after_a_clock_that_was_fast(own: Path) -> None:
    """A certificate that was made under a clock years ahead is replaced when the clock is right again."""
    desk = Desk(own, PASSPHRASE)
    assert head_certificate(desk, NOW + timedelta(days=4 * 365)).not_valid_before_utc > NOW
    assert head_certificate(desk, NOW).not_valid_before_utc < NOW


def test_heads_on_a_full_disk(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it cannot be replaced a good key goes on; one that has run out signs nothing, and the reason is told."""
    desk = Desk(own, PASSPHRASE)
    first = head_certificate(desk, NOW)

    def full(*_arguments: Any) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(signer_module, "_write_key", full)
    assert head_certificate(desk, first.not_valid_after_utc - timedelta(days=1)) == first
    with pytest.raises(CryptoError) as refused:
        head_certificate(desk, first.not_valid_after_utc + timedelta(days=1))
    assert refused.value.code == "pki.not_renewed"
