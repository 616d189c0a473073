"""Lists and answers, made by us and read by openssl, made crooked and refused by us."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from crypto.authority import Authority
from crypto.errors import CertificateRefused, ContentRefused
from crypto.profiles import SPECS, Profile
from crypto.revocation import (
    OcspQuestion,
    Refusal,
    Revocation,
    Standing,
    answer_ocsp,
    build_crl,
    read_ocsp_request,
    refuse_ocsp,
    revocation_findings,
)
from crypto.suite import INTL, suite_for
from tests.crypto.conftest import DAY, NOW, Cast, Openssl, Pki, TokenKey, unchecked

MOMENT = str(int(NOW.timestamp()))
REASONS = [
    flag.value
    for flag in x509.ReasonFlags
    if flag not in {x509.ReasonFlags.remove_from_crl, x509.ReasonFlags.unspecified}
]
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0")


def made(issuer: Authority, *entries: Revocation, number: int = 1, start: Any = NOW - DAY, end: Any = NOW + DAY):
    """A list as the authority makes it, read back."""
    return x509.load_der_x509_crl(build_crl(issuer, entries, number=number, this_update=start, next_update=end))


def crooked(
    issuer: Authority, *extensions: tuple[x509.ExtensionType, bool], entries: tuple[x509.RevokedCertificate, ...] = ()
) -> x509.CertificateRevocationList:
    """A list that no authority of ours would make."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(NOW - DAY).next_update(NOW + DAY)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    return suite_for(issuer.certificate.public_key()).sign_built(builder, issuer.private_key)


def scope(**said: Any) -> tuple[x509.IssuingDistributionPoint, bool]:
    """A critical statement of a list's scope."""
    silent = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**silent, **said}), True


def url(address: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(address)]


def codes(certificate: x509.Certificate, issuer: x509.Certificate, *crls: Any, at: Any = NOW) -> list[str]:
    return [finding.code for finding in revocation_findings(certificate, issuer, crls, at)]


# --- lists: made ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason(pki: Pki, cast: Cast, reason: str) -> None:
    """Every reason of the standard goes into the list and comes out in the finding, with its moment."""
    crl = made(pki.issuing, Revocation(cast.signing.certificate.serial_number, NOW, reason))
    (finding,) = revocation_findings(cast.signing.certificate, pki.issuing.certificate, [crl], NOW)
    assert finding.code == "chain.revoked"
    assert finding.facts == {"at": NOW.isoformat(), "reason": reason}


def test_no_reason_is_said_by_saying_none(pki: Pki, cast: Cast) -> None:
    """RFC 5280, 5.3.1: an unspecified reason is left out of the list, and still told in the finding."""
    crl = made(pki.issuing, Revocation(cast.signing.certificate.serial_number, NOW))
    assert list(crl[0].extensions) == []
    (finding,) = revocation_findings(cast.signing.certificate, pki.issuing.certificate, [crl], NOW)
    assert finding.facts["reason"] == "unspecified"


def test_list_numbers(pki: Pki) -> None:
    """A list bears its number and the identifier of the key that signed it."""
    crl = made(pki.issuing, number=77)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 77
    signed_by = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    own = pki.issuing.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert signed_by == own.digest


@pytest.mark.parametrize("reason", ["removeFromCRL", "key_compromise", ""])
def test_reasons_that_are_none(pki: Pki, reason: str) -> None:
    """A word that is no reason of the standard, or one for delta lists, is refused."""
    with pytest.raises(CertificateRefused, match=r"crl\.reason"):
        made(pki.issuing, Revocation(7, NOW, reason))


def test_double_entries(pki: Pki) -> None:
    """A certificate that stands on a list twice would have two moments, so it is refused."""
    with pytest.raises(CertificateRefused, match=r"crl\.double"):
        made(pki.issuing, Revocation(7, NOW), Revocation(7, NOW - DAY))


def test_who_may_sign_no_lists(cast: Cast) -> None:
    """A certificate without the right to sign lists signs none."""
    with pytest.raises(CertificateRefused, match=r"crl\.no_authority"):
        made(Authority(cast.ocsp.private_key, cast.ocsp.certificate))


def test_list_by_a_token(pki: Pki, openssl: Openssl) -> None:
    """A list signed by a key in a token is good for openssl."""
    key = TokenKey()
    certificate = unchecked(pki.root, profile=Profile.ISSUING, public_key=key.public_key(), life=(NOW, NOW + DAY))
    openssl.write("issuing.pem", certificate, pki.root.certificate)
    openssl.write("list.pem", made(Authority(key, certificate)))
    assert "verify OK" in openssl("crl", "-CAfile", "issuing.pem", "-in", "list.pem", "-noout")
    assert key.signatures == 1


def test_openssl_reads_the_list(pki: Pki, cast: Cast, openssl: Openssl) -> None:
    """Openssl verifies our lists, shows number and reason, and refuses the revoked certificate by them alone."""
    lists = pki.crls(cast.revocation)
    openssl.write("trust.pem", pki.root.certificate, *lists)
    openssl.write("issuing.pem", pki.issuing.certificate)
    openssl.write("good.pem", cast.signing.certificate)
    openssl.write("bad.pem", cast.revoked.certificate)
    openssl.write("list.pem", lists[0])
    text = openssl("crl", "-in", "list.pem", "-noout", "-text", "-CAfile", "issuing.pem")
    assert "Key Compromise" in text
    assert "X509v3 CRL Number: \n                1" in text
    check = ("verify", "-crl_check_all", "-attime", MOMENT, "-CAfile", "trust.pem", "-untrusted", "issuing.pem")
    assert "good.pem: OK" in openssl(*check, "good.pem")
    assert "error 23 at 0 depth lookup: certificate revoked" in openssl(*check, "bad.pem")


# --- lists: read ------------------------------------------------------------------------------------------------------


def test_before_and_after(pki: Pki, cast: Cast) -> None:
    """A certificate is revoked from its moment on, the moment itself included."""
    crl, issuer = made(pki.issuing, cast.revocation), pki.issuing.certificate
    assert codes(cast.revoked.certificate, issuer, crl, at=cast.revocation.at) == ["chain.revoked"]
    assert codes(cast.revoked.certificate, issuer, crl, at=cast.revocation.at - timedelta(seconds=1)) == []
    assert codes(cast.signing.certificate, issuer, crl) == []


def test_past_its_next_update(pki: Pki, cast: Cast) -> None:
    """At its next update a list is no list any more, without grace; what it says of the revoked still holds."""
    crl, issuer = made(pki.issuing, cast.revocation), pki.issuing.certificate
    end = crl.next_update_utc
    assert codes(cast.signing.certificate, issuer, crl, at=end - timedelta(seconds=1)) == []
    assert codes(cast.signing.certificate, issuer, crl, at=end) == ["chain.crl_stale"]
    assert codes(cast.revoked.certificate, issuer, crl, at=end + DAY) == ["chain.revoked"]


def test_the_newest_list_counts(pki: Pki, cast: Cast) -> None:
    """Of several lists the newest decides on holds and freshness, in whatever order they come."""
    serial, issuer = cast.signing.certificate.serial_number, pki.issuing.certificate
    held = made(pki.issuing, Revocation(serial, NOW - 3 * DAY, "certificateHold"), start=NOW - 3 * DAY, end=NOW - DAY)
    released = made(pki.issuing, number=2)
    assert codes(cast.signing.certificate, issuer, held, at=NOW - 2 * DAY) == ["chain.revoked"]
    for lists in ([held, released], [released, held]):
        assert codes(cast.signing.certificate, issuer, *lists) == []


def test_what_a_newer_list_dropped(pki: Pki, cast: Cast) -> None:
    """A revocation that a newer list no longer holds, as it may once the certificate expired, still counts."""
    old = made(pki.issuing, cast.revocation, start=NOW - 3 * DAY)
    assert codes(cast.revoked.certificate, pki.issuing.certificate, old, made(pki.issuing, number=2)) == [
        "chain.revoked"
    ]


def partial(**said: Any):
    return lambda pki: crooked(pki.issuing, scope(**said))


INCOMPLETE = {
    "delta": lambda pki: crooked(pki.issuing, (x509.DeltaCRLIndicator(1), True)),
    "delta, said in passing": lambda pki: crooked(pki.issuing, (x509.DeltaCRLIndicator(1), False)),
    "indirect": partial(indirect_crl=True),
    "by reason": partial(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
    "of attribute certificates": partial(only_contains_attribute_certs=True),
    "of authorities": partial(only_contains_ca_certs=True),
    "of another point": partial(full_name=url("http://ca.example/other.crl")),
    "of a relative point": partial(
        relative_name=x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    ),
    "unknown and critical": lambda pki: crooked(pki.issuing, (UNKNOWN, True)),
    "another's": lambda pki: made(pki.root),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_lists_we_do_not_take(pki: Pki, cast: Cast, kind: str) -> None:
    """A list that is not the issuer's complete one is as good as none."""
    crl = INCOMPLETE[kind](pki)
    assert codes(cast.signing.certificate, pki.issuing.certificate, crl) == ["chain.crl_missing"]


def entry(serial: int, *extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.build()


def test_entries_beyond_us(pki: Pki, cast: Cast) -> None:
    """RFC 5280, 5.3: one unknown critical entry makes the whole list unusable, a known critical one does not."""
    certificate, issuer = cast.signing.certificate, pki.issuing.certificate
    odd = crooked(pki.issuing, entries=(entry(7, (UNKNOWN, True)),))
    known = crooked(pki.issuing, entries=(entry(7, (x509.InvalidityDate(NOW.replace(tzinfo=None)), True)),))
    passing = crooked(pki.issuing, entries=(entry(7, (UNKNOWN, False)),))
    assert codes(certificate, issuer, odd) == ["chain.crl_missing"]
    assert codes(certificate, issuer, known) == []
    assert codes(certificate, issuer, passing) == []


def test_lists_of_users_and_of_authorities(pki: Pki, cast: Cast) -> None:
    """A list for users or for authorities speaks of those who say so of themselves, wherever they stand."""
    users, authorities = (scope(only_contains_user_certs=True), scope(only_contains_ca_certs=True))
    assert codes(cast.signing.certificate, pki.issuing.certificate, crooked(pki.issuing, users)) == []
    assert codes(pki.issuing.certificate, pki.root.certificate, crooked(pki.root, authorities)) == []
    assert codes(pki.issuing.certificate, pki.root.certificate, crooked(pki.root, users)) == ["chain.crl_missing"]


def test_list_of_the_right_point(pki: Pki) -> None:
    """A list of one distribution point speaks of the certificates that name that point."""
    certificate = pki.key(Profile.SIGNING, crl_url="http://ca.example/1.crl").certificate
    for address, expected in (("http://ca.example/1.crl", []), ("http://ca.example/2.crl", ["chain.crl_missing"])):
        crl = crooked(pki.issuing, scope(full_name=url(address)))
        assert codes(certificate, pki.issuing.certificate, crl) == expected


def test_forged_lists(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """A list under the issuer's name by another key, or by a key that may sign none, is as good as none."""
    namesake = unchecked(foreign.root, profile=Profile.ISSUING, public_key=foreign.issuing.certificate.public_key(),
                         subject=pki.issuing.certificate.subject)  # fmt: skip
    forged = made(Authority(foreign.issuing.private_key, namesake))
    assert codes(cast.signing.certificate, pki.issuing.certificate, forged) == ["chain.crl_missing"]
    usage = SPECS[Profile.SIGNING].key_usage
    mute = unchecked(pki.root, (usage, True), profile=Profile.ISSUING, public_key=pki.issuing.certificate.public_key(),
                     subject=pki.issuing.certificate.subject)  # fmt: skip
    assert codes(cast.signing.certificate, mute, made(pki.issuing)) == ["chain.crl_missing"]


def test_lists_that_cannot_be_read(pki: Pki, cast: Cast) -> None:
    """A list whose own extensions are garbled is as good as none, and so is one over a kind of key we do not know."""
    garbled = x509.UnrecognizedExtension(ExtensionOID.ISSUING_DISTRIBUTION_POINT, b"junk")
    crl = crooked(pki.issuing, (garbled, True))
    assert codes(cast.signing.certificate, pki.issuing.certificate, crl) == ["chain.crl_missing"]
    from cryptography.hazmat.primitives.asymmetric import x25519

    odd = unchecked(pki.root, profile=Profile.ISSUING, subject=pki.issuing.certificate.subject,
                    public_key=x25519.X25519PrivateKey.generate().public_key())  # fmt: skip
    assert codes(cast.signing.certificate, odd, made(pki.issuing)) == ["chain.crl_missing"]


def test_no_next_update(pki: Pki, cast: Cast) -> None:
    """A list that does not say when the next one comes is never current (RFC 5280, 5.1.2.5 demands it)."""
    from asn1crypto import core
    from asn1crypto import crl as asn1

    content = asn1.CertificateList.load(made(pki.issuing).public_bytes(serialization.Encoding.DER))
    body = content["tbs_cert_list"]
    body["next_update"] = None
    content["signature"] = core.OctetBitString(INTL.sign(pki.issuing.private_key, body.dump(force=True)))
    crl = x509.load_der_x509_crl(content.dump(force=True))
    assert crl.next_update_utc is None
    assert codes(cast.signing.certificate, pki.issuing.certificate, crl) == ["chain.crl_stale"]


# --- answers ----------------------------------------------------------------------------------------------------------


def asked(openssl: Openssl, pki: Pki, certificate: x509.Certificate, *options: str) -> OcspQuestion:
    """What openssl asks about a certificate."""
    openssl.write("issuing.pem", pki.issuing.certificate)
    openssl.write("trust.pem", pki.root.certificate, pki.issuing.certificate)
    openssl.write("leaf.pem", certificate)
    openssl("ocsp", "-issuer", "issuing.pem", *options, "-cert", "leaf.pem", "-reqout", "request")
    return read_ocsp_request(openssl.read("request"))


def heard(openssl: Openssl, answer: bytes) -> str:
    """What openssl makes of an answer to the request it wrote last."""
    openssl.write("answer", answer)
    return openssl(
        "ocsp", "-issuer", "issuing.pem", "-reqin", "request", "-respin", "answer", "-CAfile", "trust.pem",
        "-attime", MOMENT, "-validity_period", str(20 * 365 * 86400), "-text",
    )  # fmt: skip


def answer(pki: Pki, cast: Cast, question: OcspQuestion, standing: Revocation | Standing) -> bytes:
    responder = Authority(cast.ocsp.private_key, cast.ocsp.certificate)
    return answer_ocsp(
        question, issuer=pki.issuing.certificate, responder=responder, standing=standing, at=NOW, next_update=NOW + DAY
    )


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_hears_the_standing(pki: Pki, cast: Cast, openssl: Openssl, digest: str) -> None:
    """Openssl verifies each answer, whatever hash it asked with, and hears good, revoked with its reason, or unknown."""
    question = asked(openssl, pki, cast.revoked.certificate, digest)
    assert question.serial == cast.revoked.certificate.serial_number
    for standing, expected in (
        (Standing.GOOD, "Cert Status: good"),
        (Standing.UNKNOWN, "Cert Status: unknown"),
        (cast.revocation, "Revocation Reason: keyCompromise"),
    ):
        said = heard(openssl, answer(pki, cast, question, standing))
        assert "Response verify OK" in said
        assert expected in said


def test_nonce(pki: Pki, cast: Cast, openssl: Openssl) -> None:
    """The nonce comes back, so an answer to another request is noticed; a request without one gets none."""
    question = asked(openssl, pki, cast.signing.certificate)
    assert question.nonce is not None
    old = answer(pki, cast, question, Standing.GOOD)
    assert "Nonce" not in heard(openssl, old).replace("OCSP Nonce", "")
    asked(openssl, pki, cast.signing.certificate)
    assert "Nonce Verify error" in heard(openssl, old)
    assert asked(openssl, pki, cast.signing.certificate, "-no_nonce").nonce is None
    bare = ocsp.load_der_ocsp_response(
        answer(pki, cast, asked(openssl, pki, cast.signing.certificate, "-no_nonce"), Standing.GOOD)
    )
    assert list(bare.extensions) == []


def test_revoked_without_reason(pki: Pki, cast: Cast, openssl: Openssl) -> None:
    """A revocation without a reason is answered without one."""
    question = asked(openssl, pki, cast.signing.certificate)
    response = ocsp.load_der_ocsp_response(answer(pki, cast, question, Revocation(question.serial, NOW)))
    assert response.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert response.revocation_reason is None
    assert response.next_update_utc == NOW + DAY


def test_another_issuers_certificate(pki: Pki, foreign: Pki, cast: Cast) -> None:
    """Of another issuer's certificates we say nothing, not even when a serial number of ours is the same."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        cast.stranger.certificate, foreign.issuing.certificate, hashes.SHA256()
    )
    question = read_ocsp_request(builder.build().public_bytes(serialization.Encoding.DER))
    response = ocsp.load_der_ocsp_response(answer(pki, cast, question, Standing.GOOD))
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("refusal", Refusal)
def test_refusals(refusal: Refusal) -> None:
    """Every refusal is an answer that says why and is signed by nobody."""
    response = ocsp.load_der_ocsp_response(refuse_ocsp(refusal))
    assert response.response_status.name.lower() == refusal


def test_requests_we_do_not_read(pki: Pki, cast: Cast, openssl: Openssl) -> None:
    """Junk, a request about two certificates, and a nonce beyond the standard's limit are refused as malformed."""
    openssl.write("issuing.pem", pki.issuing.certificate)
    openssl.write("one.pem", cast.signing.certificate)
    openssl.write("two.pem", cast.seal.certificate)
    openssl("ocsp", "-issuer", "issuing.pem", "-cert", "one.pem", "-cert", "two.pem", "-reqout", "request")
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        cast.signing.certificate, pki.issuing.certificate, hashes.SHA1()
    )
    long = builder.add_extension(x509.OCSPNonce(b"n" * 129), False).build().public_bytes(serialization.Encoding.DER)
    for der in (b"", b"junk", openssl.read("request")):
        with pytest.raises(ContentRefused, match=r"ocsp\.malformed"):
            read_ocsp_request(der)
    with pytest.raises(ContentRefused, match=r"ocsp\.nonce"):
        read_ocsp_request(long)
