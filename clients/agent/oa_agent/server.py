"""The loopback WebSocket: who may connect, and the traffic of one connection.

A connection's origin is the one in its handshake, which a page cannot forge; it goes with every command. Commands run
side by side, so that one that waits for a PIN can be cancelled; the agent itself lets only one of them use a key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from oa_agent.agent import Agent, Caller
from oa_agent.config import Config, PinEntryKind
from oa_agent.errors import BUSY, CANCELLED, INTERNAL, OTHER_HOST, OTHER_ORIGIN, OTHER_USER, Refused
from oa_agent.origins import LOOPBACK, check_host, check_origin, check_peer
from oa_agent.pin import ConsolePin, PinEntry, WindowPin, has_display
from oa_agent.pin_page import PinPage
from oa_agent.protocol import (
    MESSAGE_LIMIT,
    SUBPROTOCOL,
    AnyCommand,
    Cancel,
    Cancelled,
    CommandId,
    Event,
    Failure,
    Result,
    Success,
    Watch,
    Watching,
    failure,
    read_command,
    write,
)
from oa_agent.retries import RetryCounter
from oa_agent.software import KeyFolder
from oa_agent.sources import KeySource
from oa_agent.tokens import TokenDriver
from oa_agent.trust import RequestKeys

COUNTS_FILE = "retries.json"
SERVERS_FILE = "servers.json"
COMMANDS_AT_ONCE = 16
_STATUS = {
    OTHER_HOST: HTTPStatus.MISDIRECTED_REQUEST,
    OTHER_ORIGIN: HTTPStatus.FORBIDDEN,
    OTHER_USER: HTTPStatus.FORBIDDEN,
}

_log = logging.getLogger(__name__)


def build_agent(config: Config, entry: PinEntry) -> Agent:
    """The agent of this configuration."""
    drivers = [
        TokenDriver(module.path, counts_wrong_pins=module.counts_wrong_pins, seconds=config.token_seconds)
        for module in config.modules
    ]
    sources: list[KeySource] = [*drivers, KeyFolder(config.keys)]
    return Agent(
        sources,
        entry=entry,
        retries=RetryCounter(config.state / COUNTS_FILE),
        request_keys=RequestKeys(config.servers, config.state / SERVERS_FILE),
    )


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[int]:
    """Serve for as long as the block lasts; yields the port."""
    async with pin_entry(config) as entry:
        gate = Gate(config, build_agent(config, entry))
        async with serve(
            gate.talk,
            LOOPBACK,
            config.port,
            process_request=gate.check,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MESSAGE_LIMIT,
            compression=None,
            server_header=None,
            close_timeout=2,
        ) as server:
            port: int = next(iter(server.sockets)).getsockname()[1]
            _log.info("listening on %s:%d for %s", LOOPBACK, port, ", ".join(config.origins))
            yield port


@asynccontextmanager
async def pin_entry(config: Config) -> AsyncIterator[PinEntry]:
    """The way to ask for the PIN that the configuration, or what this machine offers, decides."""
    kind = config.pin_entry
    if kind is PinEntryKind.CONSOLE:
        yield ConsolePin(config.notice)
    elif kind is PinEntryKind.WINDOW or (kind is PinEntryKind.AUTO and has_display()):
        yield WindowPin(config.pin_seconds, config.notice)
    else:
        page = PinPage(config.pin_page_port, config.pin_seconds, config.notice)
        async with page.running():
            yield page


class Gate:
    """Who may connect, and what happens then."""

    def __init__(self, config: Config, agent: Agent) -> None:
        self._config = config
        self._agent = agent

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a handshake from another user, to another host, or of another origin: None lets it in."""
        peer, own = connection.remote_address[:2], connection.local_address[:2]
        try:
            check_peer(peer, own)
            check_host(request.headers.get_all("Host"), port=own[1])
            check_origin(request.headers.get_all("Origin"), allowed=self._config.origins)
        except Refused as refusal:
            _log.warning("refused a connection: %s, %r", refusal.reason.code, request.headers.get_all("Origin"))
            return connection.respond(_STATUS[refusal.reason], f"{refusal.reason.code}\n")
        return None

    async def talk(self, socket: ServerConnection) -> None:
        """One connection from its first message to its last."""
        assert socket.request is not None

        async def push(event: Event) -> None:
            await socket.send(write(event))

        caller = Caller(socket.request.headers["Origin"], push)
        await Conversation(self._agent, socket, caller, self._config.poll_seconds).run()


@dataclass(slots=True)
class Conversation:
    """The commands of one connection. All of them end with it, the PIN entry included."""

    agent: Agent
    socket: ServerConnection
    caller: Caller
    poll_seconds: float
    commands: dict[CommandId, asyncio.Task[None]] = field(default_factory=dict)
    watches: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    given_up: set[CommandId] = field(default_factory=set)

    async def run(self) -> None:
        """Read until the page goes away."""
        try:
            async for message in self.socket:
                await self._begin(message)
        except ConnectionClosed:
            _log.info("a connection broke off")
        finally:
            tasks = [*self.commands.values(), *self.watches.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, message: str | bytes) -> None:
        """Start a command, or say at once why not."""
        try:
            command = read_command(message)
        except Refused as refusal:
            await self.socket.send(write(failure(None, refusal.reason)))
            return
        if command.id in self.commands or len(self.commands) >= COMMANDS_AT_ONCE:
            await self.socket.send(write(failure(command.id, BUSY)))
            return
        task = asyncio.create_task(self._answer(command))
        self.commands[command.id] = task
        task.add_done_callback(lambda _task: self.commands.pop(command.id))

    async def _answer(self, command: AnyCommand) -> None:
        answer: Success | Failure
        try:
            answer = Success(command.id, await self._perform(command))
        except Refused as refusal:
            answer = failure(command.id, refusal.reason)
        except asyncio.CancelledError:
            if command.id not in self.given_up:
                raise
            self.given_up.remove(command.id)
            answer = failure(command.id, CANCELLED)
        except Exception:  # noqa: BLE001 - the edge: the page gets an answer, the log the cause
            _log.exception("%s failed", type(command).__name__)
            answer = failure(command.id, INTERNAL)
        _log.info("%r from %s: %s", command.__struct_config__.tag, self.caller.origin, "ok" if answer.ok else answer)
        await self.socket.send(write(answer))

    async def _perform(self, command: AnyCommand) -> Result:
        match command:
            case Cancel():
                return Cancelled(self._cancel(command.target))
            case Watch():
                return await self._watch(command.certificate_id)
        return await self.agent.perform(command, self.caller)

    def _cancel(self, target: CommandId) -> bool:
        task = self.commands.get(target)
        if task is None or task is asyncio.current_task():
            return False
        self.given_up.add(target)
        return task.cancel()

    async def _watch(self, certificate_id: str) -> Watching:
        """Watch a key; watching it again, once it was put back, replaces the watch before."""
        until_removed = await self.agent.watch(certificate_id, self.caller, every=self.poll_seconds)
        before = self.watches.pop(certificate_id, None)
        if before is not None:
            before.cancel()
        self.watches[certificate_id] = asyncio.create_task(until_removed())
        return Watching(certificate_id)
