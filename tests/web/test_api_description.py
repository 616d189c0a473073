"""The API description is true: whatever is sent, the server answers as it says, and never with a fault of its own.

Cases come from the description itself (schemathesis): those that fit it, those that do not, and its edges. They go to a
server process over a city in which a document was sent and signed for, as clerks, administrators and a department's system,
each where its business is, and as nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from oa_server.app import open_house
from oa_server.demo.enrolment import actor_named
from oa_server.documents.models import IncomingDocument, OutgoingDocument
from oa_server.documents.routes import DOCX
from oa_server.files.models import StoredFile
from oa_server.files.routes import OFFSET_STREAM
from oa_server.identity import clients
from oa_server.identity.models import Organ
from oa_server.identity.rules import SCOPES
from oa_server.pki.models import Certificate, Crl, KeyDevice, TrustAnchor
from oa_server.pki.routes import OCSP_REQUEST, TIMESTAMP_QUERY
from oa_server.settings import Settings
from oa_server.web.endpoint import PDF
from oa_server.web.sheets import SHEET
from tests import servers
from tests.city import Browser, City
from tests.conftest import COLUMNS, Founded
from tests.described import description
from tests.faults.house import at_free_port
from tests.identity.system import JWT_BEARER, System
from tests.journey import Stages

# Security travels beside the generated case: the session's cookie and cross-site token are those of a clerk, or none.
CONFIG = {
    "generation": {"with-security-parameters": False, "deterministic": True},
    "phases": {"examples": {"enabled": False}},
    # What is not there for who asks is told before what they forgot to send with it.
    "checks": {"missing_required_header": {"expected-statuses": [400, 401, 403, 404, 415, 422, 428]}},
}
BRIEFLY = settings(max_examples=8, suppress_health_check=list(HealthCheck))
AT_LENGTH = settings(max_examples=400, suppress_health_check=list(HealthCheck))
schema = schemathesis.openapi.from_dict(description(), config=SchemathesisConfig.from_dict(CONFIG))

# Whose business a part of the tree is; a clerk's, where nothing is said.
WHOSE = {"incoming": "zhou", "pki": "sec", "clients": "sys", "sessions": "sec", "audit": "aud"} | {
    "directory": "sys",
    "duties": "sys",
    "settings": "sys",
    "setting-changes": "sec",
}

# What fits its form may still break the law, which no schema can tell: a draft above the ceiling, an act out of turn.
NOT_PROMISED = [positive_data_acceptance]
PROMISED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def _as_it_is(_context: object, value: object) -> dict[str, bytes]:
    """Bytes travel as they are."""
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


for kind in (PDF, DOCX, OFFSET_STREAM, OCSP_REQUEST, TIMESTAMP_QUERY, SHEET):
    schemathesis.serializer(kind.media_type)(_as_it_is)


@schemathesis.hook
def filter_headers(_context: object, headers: dict[str, str] | None) -> bool:
    """What holds control characters is no header (RFC 9110 section 5.5): no server gets as far as to answer it."""
    return not headers or all(str(value).isprintable() for value in headers.values())


@dataclass
class Desk:
    """A clerk's session at a server."""

    browser: Browser
    cookies: dict[str, str] = field(default_factory=dict)

    def sign_in(self) -> None:
        asyncio.run(self._sign_in())

    async def _sign_in(self) -> None:
        async with httpx.AsyncClient(base_url=self.browser.origin) as self.browser.http:
            await self.browser.sign_in()
            self.cookies = dict(self.browser.http.cookies)


@dataclass
class Served:
    """A server process; who asks, at their desks; a department's system; and, by the first part of a path, what is there."""

    url: str
    desks: dict[str, Desk]
    system: System
    known: dict[str, dict[str, str]]
    session: requests.Session

    def ask(self, case: schemathesis.Case) -> None:
        """Send a case as whoever's business it is, as it is and then, where its path names something, about something that
        there is."""
        if case.path.startswith("/api/v1/"):
            self._ask_as_system(case)
            return
        tree = case.path.split("/")[2]
        desk = self.desks[WHOSE.get(tree, "sun")]
        if case.operation.definition.raw["operationId"] == "identity.end_session":
            desk.sign_in()  # Each case ends the session that it comes with.
        as_clerk = {"headers": {"X-OA-CSRF": desk.browser.csrf}, "cookies": desk.cookies}
        self._send(case, tree, **as_clerk)

    def _send(self, case: schemathesis.Case, tree: str, **shown: Any) -> None:
        """Over one connection: to open one for each of ten thousand cases takes longer than to answer them."""
        case.call_and_validate(base_url=self.url, session=self.session, excluded_checks=NOT_PROMISED, **shown)
        if self._names_what_there_is(case, tree):
            case.call_and_validate(base_url=self.url, session=self.session, checks=PROMISED, **shown)

    def _names_what_there_is(self, case: schemathesis.Case, tree: str) -> bool:
        if not case.path_parameters or tree not in self.known:
            return False
        case.path_parameters = {name: self.known[tree][name] for name in case.path_parameters}
        return True

    def _ask_as_system(self, case: schemathesis.Case) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": self.system.assertion(),
        }
        answer = self.session.post(f"{self.url}/api/v1/token", data=form)
        shown = {"headers": {"Authorization": f"Bearer {answer.json()['access_token']}"}}
        self._send(case, case.path.split("/")[3], **shown)


@pytest.fixture(scope="module", params=COLUMNS)
def served(
    request: pytest.FixtureRequest, stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server process of the column, over a city in which a document was signed for."""
    founded: Founded = request.getfixturevalue(f"founded_{request.param}")
    reached, _path = asyncio.run(stages.reached(founded, "received"))
    installation = at_free_port(reached.copy(tmp_path_factory.mktemp("described") / "var"))
    known = asyncio.run(_known(installation))
    city = City(None, installation, {}, {})  # type: ignore[arg-type]  # its application is another process
    desks = {who: Desk(Browser(None, installation.origin, city.keys(who))) for who in ("sun", *WHOSE.values())}
    system = System(city)
    asyncio.run(_let_in(installation, system))
    with servers.OaServer(installation) as server:
        for desk in desks.values():
            desk.sign_in()
        with requests.Session() as session:
            session.cookies.set_policy(
                DefaultCookiePolicy(allowed_domains=[])
            )  # Each case comes with its own, or none.
            yield Served(server.url, desks, system, known, session)


async def _let_in(installation: Settings, system: System) -> None:
    """Register a system and let it in, as the two administrators whose business it is."""
    async with open_house(installation):
        answers_for = await actor_named("wang")
        assert answers_for.unit_id is not None
        assert answers_for.official_id is not None
        wanted = clients.NewClient(
            code=system.code,
            name="财政业务系统",
            unit_id=answers_for.unit_id,
            official_id=answers_for.official_id,
            certificate=system.certificate.public_bytes(Encoding.DER),
            scopes=frozenset(SCOPES),
            purpose="试验",
            per_minute=100_000,
        )
        row = await clients.register_client(await actor_named("sys"), wanted)
        await clients.decide_client(await actor_named("sec"), row.id, "approve")


async def _known(installation: Settings) -> dict[str, dict[str, str]]:
    async with open_house(installation):
        document, organ, file = await OutgoingDocument.first(), await Organ.first(), await StoredFile.first()
        incoming = await IncomingDocument.exclude(receipt_id=None).first()
        anchor, crl = await TrustAnchor.first(), await Crl.first()
        rows = {"documents": document, "incoming": incoming, "files": file, "organs": organ}
        found = {name: {"id": str(row.id)} for name, row in rows.items() if row is not None}
        assert anchor is not None
        assert crl is not None
        device = await KeyDevice.first()
        # Nobody who asks here holds it: what is done to it ends nobody's session.
        spare = await Certificate.get(official__code="feng", profile="signing")
        assert device is not None
        authority = {"fingerprint": anchor.fingerprint, "issuer": crl.issuer, "request": "AAAA"}
        return found | {"pki": {**authority, "id": str(device.id), "serial": spare.serial}}


def test_what_is_served(served: Served) -> None:
    """The description that the cases come from is the one that the server gives out."""
    told = httpx.get(f"{served.url}/openapi.json").json()
    expected = description() | {"info": told["info"]}
    # Reasons for which only a command refuses are known where the command was loaded, as by tests in this process.
    assert told.pop("x-problems").items() <= expected.pop("x-problems").items()
    assert told == expected
    assert len(served.known) == 5


@pytest.mark.norm("D-8.1.4.4d")
@schema.parametrize()
@BRIEFLY
def test_in_ones_place(case: schemathesis.Case, served: Served) -> None:
    """Whoever is let in is answered as described, whatever they send, also about what they may and may not see."""
    served.ask(case)


@pytest.mark.parametrize("served", COLUMNS[:1], indirect=True)  # Nobody gets as far as the database.
@schema.parametrize()
@BRIEFLY
def test_as_nobody(case: schemathesis.Case, served: Served) -> None:
    """Who is not signed in is answered as described: everywhere but at the few open endpoints, that they are not."""
    answer = case.call_and_validate(base_url=served.url, session=served.session, excluded_checks=NOT_PROMISED)
    if case.operation.definition.raw.get("security") and case.method == case.operation.method.upper():
        assert answer.status_code == 401


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@schema.parametrize()
@AT_LENGTH
def test_at_length(case: schemathesis.Case, served: Served) -> None:
    """The same with many more cases."""
    served.ask(case)
