"""Timestamps after RFC 3161: an authority over one key, and the judgement of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256, sha384, sha512
from typing import Any

from asn1crypto import algos, cms, core, tsp
from cryptography import x509

from crypto.chain import verify_chain
from crypto.cms import (
    UNREADABLE,
    digest_for,
    integrity_findings,
    open_cms,
    signed_attributes,
    signed_data,
    stray_findings,
)
from crypto.errors import ContentRefused, Finding
from crypto.keys import SigningKey
from crypto.profiles import Profile

POLICY = "2.25.265104518973016184735560942871064187325.10"
REQUEST_LIMIT = 4096
_HASHES = {"sha256": sha256, "sha384": sha384, "sha512": sha512}


class _Rejection(core.Sequence):  # type: ignore[misc]
    """A response without a token; the library's own type insists on one, the RFC does not (2.4.2)."""

    _fields = [("status", tsp.PKIStatusInfo)]  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """What a token says, and what is wrong with it. `at` is None when it cannot be read."""

    findings: tuple[Finding, ...]
    at: datetime | None = None
    signer: x509.Certificate | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the token."""
        return not self.findings


class TimestampAuthority:
    """Stamps digests with one key of the TIMESTAMP profile. Moments and serial numbers are the caller's."""

    def __init__(self, key: SigningKey, *, policy: str = POLICY) -> None:
        self._key = key
        self._policy = policy

    def answer(self, request: bytes, *, at: datetime, serial: int) -> bytes:
        """The response (DER) to a request (DER); a bad request is answered with its failure, as the RFC has it."""
        try:
            return self._answer(request, at, serial)
        except ContentRefused as error:
            status = {"status": "rejection", "status_string": [error.message], "fail_info": {error.code}}
            return bytes(_Rejection({"status": status}).dump())

    def _answer(self, request: bytes, at: datetime, serial: int) -> bytes:
        if len(request) > REQUEST_LIMIT:
            raise ContentRefused("bad_data_format", "the request is too long")
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            imprint, nonce, wants = asked["message_imprint"], asked["nonce"].native, asked["cert_req"].native
            name, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        except (ValueError, TypeError, KeyError) as error:
            raise ContentRefused("bad_data_format", "the request cannot be read") from error
        if name not in _HASHES or len(digest) != _HASHES[name]().digest_size:
            raise ContentRefused("bad_alg", "use SHA-256, SHA-384 or SHA-512")
        token = self.stamp(digest, at=at, serial=serial, algorithm=name, nonce=nonce, with_certificate=bool(wants))
        response = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)})
        return bytes(response.dump())

    def stamp(
        self,
        digest: bytes,
        *,
        at: datetime,
        serial: int,
        algorithm: str = "sha256",
        nonce: int | None = None,
        with_certificate: bool = True,
    ) -> bytes:
        """A token (DER of a ContentInfo) over a digest."""
        content: dict[str, Any] = {
            "version": "v1",
            "policy": self._policy,
            "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest},
            "serial_number": serial,
            "gen_time": core.GeneralizedTime(at.replace(microsecond=0)),
            "accuracy": {"seconds": 1},
            "ordering": False,
        }
        if nonce is not None:
            content["nonce"] = nonce
        info = bytes(tsp.TSTInfo(content).dump())
        certificate = self._key.certificate
        attributes = signed_attributes("tst_info", digest_for(certificate, info), certificate, signing_time=None)
        chain = self._key.chain if with_certificate else ()
        return signed_data("tst_info", info, certificate, chain, attributes, self._key.sign(attributes))


def verify_timestamp(
    token: bytes,
    data: bytes,
    *,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate] = (),
    crls: Sequence[x509.CertificateRevocationList] = (),
    at: datetime,
) -> TimestampReport:
    """Judge a token over `data`. Its certificate is judged at the moment the token names, its revocation as known at `at`."""
    try:
        opened = open_cms(token)
        info = tsp.TSTInfo.load(opened.content or b"", strict=True)
        stamped_at: datetime = info["gen_time"].native
        imprint = info["message_imprint"]
        expected = _HASHES[imprint["hash_algorithm"]["algorithm"].native](data).digest()
        stated: bytes = imprint["hashed_message"].native
    except UNREADABLE:
        return TimestampReport((Finding("timestamp.unreadable", "时间戳无法读取", "The timestamp cannot be read."),))
    findings = list(integrity_findings(opened, opened.content or b"", "tst_info"))
    if stated != expected:
        findings.append(Finding("timestamp.other_data", "时间戳不是针对此内容的", "The timestamp is over other data."))
    if stamped_at > at:
        findings.append(Finding("timestamp.future", "时间戳的时间晚于当前时间", "The timestamp lies in the future."))
    chain = verify_chain(
        opened.signer,
        intermediates=[*intermediates, *opened.others],
        roots=roots,
        crls=crls,
        at=min(at, stamped_at),
        usage=Profile.TIMESTAMP,
    )
    findings.extend(stray_findings(opened, chain))
    return TimestampReport((*findings, *chain.findings), stamped_at, opened.signer)


def make_request(digest: bytes, *, nonce: int | None = None) -> bytes:
    """A request (DER) over a SHA-256 digest, asking for the certificate too."""
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "hashed_message": digest,
            },
            "nonce": nonce,
            "cert_req": True,
        }
    )
    return bytes(request.dump())
