"""The agent's configuration: one TOML file, every member explained here, nothing unknown accepted.

port = 17173                 # the WebSocket
pin_page_port = 17174        # the page where the PIN is entered when there is no display of our own
origins = ["https://oa.example.gov.cn"]   # pages that may speak to the agent, exactly as browsers write them
state_folder = "~/.oa-agent" # counts of wrong PINs, first-use pins of servers, the log
key_folder = "~/.oa-agent/keys"  # software key files (*.oakey), for trials
pin_entry = "auto"           # auto: a window where there is a display, else the page; or window, page, console
pin_seconds = 120            # how long a PIN entry stays open
notice = ""                  # stands above every PIN prompt, for example 演示数据
token_seconds = 30           # how long a token may take
poll_seconds = 1.0           # how often a watched key is looked for

[[modules]]                  # PKCS #11 drivers
path = "/usr/lib/softhsm/libsofthsm2.so"
counts_wrong_pins = false    # true when the device itself locks after wrong PINs; else the agent counts to five

[[servers]]                  # keys that sign signature requests; where an origin has one, no other is believed
origin = "https://oa.example.gov.cn"
kid = "q0n…"
public_key = "MFkw…"         # base64 of the DER SubjectPublicKeyInfo, P-256
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oa_agent.origins import is_origin


class PinEntryKind(StrEnum):
    """How the PIN is asked for."""

    AUTO = "auto"
    WINDOW = "window"
    PAGE = "page"
    CONSOLE = "console"


class Module(Struct, frozen=True, forbid_unknown_fields=True):
    """One PKCS #11 driver."""

    path: str
    counts_wrong_pins: bool = False


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """One key with which a server signs its requests."""

    origin: str
    kid: str
    public_key: str


Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=600)]


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, checked."""

    origins: tuple[str, ...] = ()
    port: Port = 17173
    pin_page_port: Port = 17174
    state_folder: str = "~/.oa-agent"
    key_folder: str = "~/.oa-agent/keys"
    pin_entry: PinEntryKind = PinEntryKind.AUTO
    pin_seconds: Seconds = 120
    notice: str = ""
    token_seconds: Seconds = 30
    poll_seconds: Seconds = 1.0
    modules: tuple[Module, ...] = ()
    servers: tuple[Server, ...] = ()

    def __post_init__(self) -> None:
        for origin in (*self.origins, *(server.origin for server in self.servers)):
            if not is_origin(origin):
                raise ValueError(f"{origin!r} is no origin that may be allowed: write https://host[:port]")

    @property
    def state(self) -> Path:
        return Path(self.state_folder).expanduser()

    @property
    def keys(self) -> Path:
        return Path(self.key_folder).expanduser()


def load_config(path: Path) -> Config:
    """The settings in `path`. Raises ValueError that says what is wrong with which member."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Config)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error
