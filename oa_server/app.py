"""The composition root: the only file that knows every domain. It plugs them together and starts what runs beside them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import version as package_version
from ipaddress import ip_network
from secrets import token_urlsafe
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import orjson
import structlog
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, WebSocketRoute

import oa_server.audit.routes
import oa_server.deadlines.routes
import oa_server.departments.routes
import oa_server.documents.routes
import oa_server.files.routes
import oa_server.identity.administration
import oa_server.identity.routes
import oa_server.installation.routes
import oa_server.messaging.routes
import oa_server.pki.routes
import oa_server.proposals.import_routes
import oa_server.proposals.routes
import oa_server.signing.routes
import oa_server.workflow.routes
from crypto.webhooks import WebhookKey
from oa_server.audit import actions as audit
from oa_server.audit.copies import CopyPlace, copy_heads
from oa_server.condition import condition_route
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.errors import OaError
from oa_server.core.ports import ports
from oa_server.core.tasks import is_ending
from oa_server.deadlines.actions import seed_calendar
from oa_server.departments import reactions as department_reactions
from oa_server.departments.delivery import Sender, deliver
from oa_server.documents import access as documents
from oa_server.documents import pages
from oa_server.documents import reactions as document_reactions
from oa_server.documents.gates import IssuedPages, OutgoingGate
from oa_server.documents.layout.fonts import FontLibrary, chains_with
from oa_server.documents.layout.render import PageSettings
from oa_server.documents.office import Office
from oa_server.documents.states import Classification
from oa_server.files import access as files
from oa_server.files.actions import FileKeeper
from oa_server.files.clamd import Clamd
from oa_server.identity import access as identity
from oa_server.identity import tokens
from oa_server.identity.actions import remove_sessions
from oa_server.identity.clients import ClientDesk
from oa_server.identity.events import OfficialRetiring, OrganRegistered, RolesGiven, RoleTaken
from oa_server.identity.signin import SignIn, SignInPolicy
from oa_server.installation.access import SettingsInForce
from oa_server.messaging import rooms as messaging_rooms
from oa_server.messaging.actions import CONVERSATION
from oa_server.messaging.gates import ConversationGate
from oa_server.messaging.hub import Hub as MessagingHub
from oa_server.messaging.jobs import anchor
from oa_server.messaging.posting import Poster
from oa_server.pki import access as pki
from oa_server.pki import issuing
from oa_server.pki.actions import CertificateRegister
from oa_server.pki.signer import Signer
from oa_server.proposals.judging import expire as expire_feedback
from oa_server.settings import Settings
from oa_server.signing.actions import SigningDesk
from oa_server.storage import cleaning, data_keys, timekeeping
from oa_server.storage.bus import open_bus
from oa_server.storage.database import PATIENT_SECONDS, open_database, select
from oa_server.storage.master_keys import MasterKeys
from oa_server.storage.migrate import upgrade
from oa_server.storage.objects import ObjectStore, open_store
from oa_server.storage.sealing import SealedStore
from oa_server.storage.secrets import SecretStore
from oa_server.storage.unit_of_work import ActsRecorded, react_to
from oa_server.web.docs import docs_route
from oa_server.web.endpoint import Access, Call, endpoint, for_departments, nowhere, resource
from oa_server.web.errors import ProblemMiddleware
from oa_server.web.guard import GuardMiddleware
from oa_server.web.health import Probes, Rounds, health_routes
from oa_server.web.limits import Buckets
from oa_server.web.live import LiveHub
from oa_server.web.metrics import Metrics, metrics_route
from oa_server.web.openapi import describe, openapi_route
from oa_server.web.pagination import Cursors
from oa_server.web.proxy import ProxyMiddleware
from oa_server.web.static import web_routes
from oa_server.workflow import access as workflow
from oa_server.workflow import reactions as workflow_reactions

log = structlog.get_logger("oa")

VERSION = package_version("oa-server")
RESTART_SECONDS = 1.0
SEQUENCE_SECONDS = 0.5
HEAD_SECONDS = 60.0
DELIVERY_SECONDS = 1.0
SCANNING_SECONDS = 20.0
CLEANING_SECONDS = 3600.0
ALIVE_SECONDS = 10.0
CLOCK_SECONDS = 30.0


# Every object that a row of any domain names.
OBJECTS = (files.NAMED, pages.NAMED)


@dataclass(frozen=True, slots=True)
class House:
    """Everything one installation is made of, plugged together."""

    settings: Settings
    in_force: InForce
    keyset: tokens.KeySet
    register: CertificateRegister
    office: Office
    store: ObjectStore
    files: FileKeeper
    master_keys: MasterKeys
    sign_in: SignIn
    clients: ClientDesk
    sender: Sender
    hub: LiveHub
    messaging: MessagingHub
    cursors: Cursors
    metrics: Metrics
    rounds: Rounds
    head_copies: tuple[CopyPlace, ...]
    monitor_token: bytes
    backup_key: bytes


class InForce(SettingsInForce):
    """The settings in force, in the shapes in which the domains ask for them."""

    async def pages(self) -> PageSettings:
        now = await self.now()
        return PageSettings(line_pitch=now.line_pitch, colophon_on_even_page=now.colophon_on_even_page)

    async def sign_in(self) -> SignInPolicy:
        now = await self.now()
        networks = tuple(map(ip_network, now.administrator_networks))
        return SignInPolicy(
            now.origin, timedelta(minutes=now.idle_minutes), timedelta(hours=now.session_hours), networks
        )

    async def attachment_limit(self) -> int:
        return (await self.now()).attachment_limit


def build_house(settings: Settings) -> House:
    """Make the parts from the settings and fill the ports. Reads secrets; opens nothing."""
    secrets = SecretStore(settings.secrets_dir)
    key = tokens.TokenKey.from_pem(secrets.get("token-key.pem", tokens.TokenKey.generate_pem))
    keyset = tokens.KeySet((key,))
    passphrase = secrets.get("authority-passphrase").hex()
    register = CertificateRegister(Signer(settings.authority_dir, passphrase), settings.origin)
    store = open_store(settings.object_store)
    in_force, metrics = InForce(settings), Metrics()
    scanner = Clamd(settings.scanner_url) if settings.scanner_url else None
    master_keys = MasterKeys(secrets)
    fonts = FontLibrary([*settings.font_dirs, settings.data_dir / "fonts"], chains_with(settings.site_fonts))
    office = Office(
        signing=SigningDesk(register, keyset, settings.origin),
        store=SealedStore(store),
        fonts=fonts,
        page_settings=in_force.pages,
        ceiling=Classification(settings.classification_ceiling),
    )
    house = House(
        settings=settings,
        in_force=in_force,
        keyset=keyset,
        register=register,
        office=office,
        store=store,
        files=FileKeeper(
            store, master_keys, limit=in_force.attachment_limit, scanner=scanner, tell=metrics.file_scanned
        ),
        master_keys=master_keys,
        sign_in=SignIn(in_force.sign_in, keyset),
        clients=ClientDesk(keyset, settings.origin),
        sender=Sender(settings.origin, [WebhookKey(secrets.get("webhook-key"))]),
        hub=LiveHub(),
        messaging=MessagingHub(),
        cursors=Cursors(secrets.get("cursor-key")),
        metrics=metrics,
        rounds=Rounds(),
        head_copies=tuple(CopyPlace(_name_of(url), open_store(url)) for url in settings.head_copies),
        monitor_token=secrets.get("monitor-token", lambda: token_urlsafe(32).encode()),
        backup_key=secrets.get("backup-key"),
    )
    house.metrics.count_live(lambda: house.hub.count() + house.messaging.count())
    _plug(house)
    return house


def _name_of(url: str) -> str:
    """How a place is called where others read it: without the key that its address may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _plug(house: House) -> None:
    ports.audit = audit.AuditLog()
    ports.sessions = house.sign_in
    ports.clients = house.clients
    ports.certificates = house.register
    ports.head_signer = house.register
    ports.organ_names = identity.organ_short_names
    ports.pages = IssuedPages()
    ports.subjects = {documents.OUTGOING: OutgoingGate(), CONVERSATION: ConversationGate()}
    react_to(OrganRegistered, document_reactions.open_number_series)
    react_to(RolesGiven, workflow_reactions.share_open_tasks)
    react_to(RoleTaken, workflow_reactions.keep_tasks_of_a_role)
    react_to(OfficialRetiring, document_reactions.hand_over_documents)
    react_to(OfficialRetiring, workflow_reactions.hand_over)
    react_to(ActsRecorded, department_reactions.tell_systems)
    react_to(ActsRecorded, messaging_rooms.follow_directory)


async def upgrade_house(settings: Settings) -> list[str]:
    """Bring database and object store to what this version expects. Returns what was done, in words.

    Raises MigrationFailed, Unavailable.
    """
    masters, store = MasterKeys(SecretStore(settings.secrets_dir)), open_store(settings.object_store)
    done = await upgrade(settings.database, masters)
    await store.prepare()
    async with open_database(settings.database, statement_seconds=PATIENT_SECONDS):
        await data_keys.unlock(masters)
        encrypted = await pages.encrypt_kept(store, SealedStore(store))
    return [*done, *([f"加密了 {encrypted} 份版式文件"] if encrypted else []), "对象存储已就绪"]


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """The house with its database open, for every command."""
    house = build_house(settings)
    try:
        async with open_database(settings.database, statement_seconds=PATIENT_SECONDS):
            await data_keys.unlock(house.master_keys)
            yield house
    finally:
        await house.register.signer.close()


def create_app(settings: Settings) -> Starlette:
    """The ASGI application of one server process."""
    house = build_house(settings)
    routes = _api_routes(settings)
    described = cache(lambda: describe(routes, version=VERSION, secure=settings.secure))
    shown = [
        *routes,
        openapi_route(described),
        docs_route(described),
        WebSocketRoute("/api/live", house.hub.serve),
        oa_server.messaging.routes.line_route,
        nowhere("/api/{path:path}"),
        *web_routes(settings.web),
    ]
    app = _application(house, shown, _serving)
    app.state.sign_in = house.sign_in
    app.state.clients = house.clients
    app.state.buckets = Buckets()
    app.state.sender = house.sender
    app.state.office = house.office
    app.state.settings = house.in_force
    app.state.files = house.files
    app.state.cursors = house.cursors
    app.state.messaging_hub = house.messaging
    app.state.messaging_poster = Poster(house.messaging.tell)
    app.state.register = house.register
    app.state.counters = {"todo": workflow.count_open, "incoming": documents.waiting_arrivals}
    return app


def create_worker(settings: Settings) -> Starlette:
    """The process that runs the jobs for all servers. It answers monitors, and nobody else."""
    return _application(build_house(settings), [*_monitor_routes(), nowhere("/{path:path}")], _timed)


Background = Callable[[House], list[Coroutine[Any, Any, None]]]


def _application(house: House, routes: Sequence[BaseRoute], background: Background) -> Starlette:
    settings = house.settings
    # The terminal of a demo is for its people; there only what goes wrong is told.
    configure_logging(logging.WARNING if settings.demo else logging.INFO)
    app = Starlette(
        routes=routes,
        middleware=[
            *([Middleware(ProxyMiddleware)] if settings.socket else []),
            Middleware(GuardMiddleware, origin=settings.origin, agent_port=settings.agent_port),
            Middleware(ProblemMiddleware, observe=house.metrics.observe),
        ],
        lifespan=lambda _app: _lifespan(house, background),
    )
    app.state.house = house
    app.state.metrics = house.metrics
    app.state.rounds = house.rounds
    app.state.monitor_token = house.monitor_token
    scanning = house.files.scanning
    # Without the scanner nothing new is attached, and everything else goes on: no reason to call a server not ready.
    app.state.scanner = Probes({"scanner": scanning.scanner.check} if scanning else {})
    app.state.probes = Probes({"database": lambda: select("SELECT 1 AS one"), "object_store": house.store.prepare})
    return app


def _api_routes(settings: Settings) -> list[BaseRoute]:
    # A request is held against one after the other, so what is asked for most comes first.
    own = [
        *oa_server.workflow.routes.routes,
        *oa_server.documents.routes.routes,
        *oa_server.files.routes.routes,
        *oa_server.identity.routes.routes,
        *oa_server.identity.administration.routes,
        *oa_server.pki.routes.routes,
        *oa_server.signing.routes.routes,
        *oa_server.installation.routes.routes,
        *oa_server.deadlines.routes.routes,
        *oa_server.proposals.routes.routes,
        *oa_server.proposals.import_routes.routes,
        *oa_server.messaging.routes.routes,
        *oa_server.audit.routes.routes,
        *oa_server.departments.routes.routes,
        about_route(settings),
        condition_route(),
        *_monitor_routes(),
    ]
    return [*own, *for_departments(own)]


def _monitor_routes() -> list[BaseRoute]:
    return [*health_routes(version=VERSION), metrics_route()]


class About(Struct):
    """What a page needs to know before anybody is signed in."""

    name: str
    demo: bool
    version: str
    agent_port: int
    stand_in_fonts: list[str]
    classification_ceiling: str
    languages: list[str]


def about_route(settings: Settings) -> BaseRoute:
    @endpoint(summary="本系统的基本信息", returns=About, access=Access.OPEN)
    async def about(call: Call[None]) -> About:
        fonts = call.request.app.state.office.fonts
        ceiling = settings.classification_ceiling
        return About(
            name=(await call.request.app.state.settings.now()).name,
            demo=settings.demo,
            version=VERSION,
            agent_port=settings.agent_port,
            stand_in_fonts=list(fonts.stand_ins),
            classification_ceiling=ceiling,
            languages=["zh", "en"],
        )

    return resource("/api/about", GET=about)


@asynccontextmanager
async def _lifespan(house: House, background: Background) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.register.signer.close)
        await stack.enter_async_context(open_database(house.settings.database))
        if not await data_keys.unlock(house.master_keys):
            log.error("storage.data_key_locked")
        bus = await stack.enter_async_context(open_bus(house.settings.bus_url, house.settings.database))
        ports.live = bus

        def wake() -> None:
            house.hub.wake()
            house.messaging.wake()

        everybody = [
            _every(house.metrics, RESTART_SECONDS, "live.bus", lambda: bus.run(wake)),
            _every(house.metrics, CLOCK_SECONDS, "clock", lambda: timekeeping.compare(house.settings.time_servers)),
            _every(house.metrics, ALIVE_SECONDS, "alive", house.rounds.tell_supervisor),
        ]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(job) for job in (*everybody, *background(house))]
            yield
            for task in running:
                task.cancel()


def _serving(house: House) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the requests: the live updates, and the jobs unless a worker does them."""
    hubs = [
        _every(house.metrics, RESTART_SECONDS, "live.hub", house.hub.run),
        _every(house.metrics, RESTART_SECONDS, "messaging.hub", house.messaging.run),
        _every(house.metrics, RESTART_SECONDS, "messaging.watch", house.messaging.watch),
    ]
    return hubs if house.settings.jobs == "worker" else [*hubs, *_timed(house)]


def _timed(house: House) -> list[Coroutine[Any, Any, None]]:
    """The jobs. Any number of processes may run them: each holds what it works on, or finds that another was quicker."""
    jobs: list[tuple[float, str, Callable[[], Awaitable[object]]]] = [
        (SEQUENCE_SECONDS, "audit.sequence", audit.sequence),
        (HEAD_SECONDS, "messaging.anchor", anchor),
        (HEAD_SECONDS, "audit.head", lambda: _sign_head(house)),
        (HEAD_SECONDS, "audit.copies", lambda: copy_heads(house.head_copies)),
        (DELIVERY_SECONDS, "departments.deliver", lambda: deliver(house.sender)),
        (SCANNING_SECONDS, "files.scan", lambda: _scan_waiting(house)),
        (HEAD_SECONDS, "pki.lists", lambda: _renew_lists(house)),
        (HEAD_SECONDS, "pki.issue", lambda: _issue_waiting(house)),
        (CLEANING_SECONDS, "deadlines.seed", seed_calendar),
        (CLEANING_SECONDS, "proposals.expire", expire_feedback),
        (CLEANING_SECONDS, "storage.clean", lambda: _clean(house)),
    ]
    return [
        _every(house.metrics, seconds, name, house.rounds.watched(name, seconds, job)) for seconds, name, job in jobs
    ]


async def _clean(house: House) -> None:
    """Remove what nobody needs any more, in the database and among the objects."""
    await cleaning.clean()
    await remove_sessions()
    await house.store.clear_drafts(clock.now() - cleaning.DRAFTS_FOR)


async def _sign_head(house: House) -> None:
    if house.register.signer.exists:
        await audit.sign_head()


async def _scan_waiting(house: House) -> None:
    """Files are held without a scanner, too, when it was taken out of the settings while they waited."""
    house.metrics.files_held(await files.count_held())
    if house.files.scanning:
        await house.files.scanning.scan_waiting()


async def _renew_lists(house: House) -> None:
    if house.register.signer.exists and await pki.lists_due():
        await house.register.renew_lists(SYSTEM)


async def _issue_waiting(house: House) -> None:
    if house.register.signer.exists:
        await issuing.issue_waiting(house.register)


async def _every(metrics: Metrics, seconds: float, name: str, job: Callable[[], Awaitable[object]]) -> None:
    """Run a job again and again; a job that cannot be done now, or that broke, is done the next time.

    Nothing but the end of the server leaves here: one broken job must not take the others and the server with it.
    """
    while True:
        try:
            await job()
            metrics.job_done(name)
        except OaError as error:
            metrics.job_failed(name)
            log.warning("job.postponed", job=name, code=error.code)
        except Exception:
            metrics.job_failed(name)
            log.exception("job.failed", job=name)
        if is_ending():
            return
        await asyncio.sleep(seconds)


def configure_logging(level: int = logging.INFO) -> None:
    """One JSON object per line; control characters are escaped by the format itself, and no line holds content."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_encode_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Output())),
        cache_logger_on_first_use=True,
    )


class _Output:
    """Standard output. It may lie on a full disk: then the line is lost, and not the request that it tells of."""

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            sys.stdout.buffer.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stdout.buffer.flush()


def _encode_line(event: Any, **_options: Any) -> bytes:
    return orjson.dumps(event, default=str)
