"""The two fronts: `Office` blocks, `AsyncOffice` is awaited; both are closed at the end of their `with`."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any, Generic, Self
from urllib.parse import urlsplit

import httpx

from oa_sdk.attachments import Attachments
from oa_sdk.directory import Directory
from oa_sdk.documents import Documents
from oa_sdk.drivers import Asyncio, Blocking
from oa_sdk.events import Events
from oa_sdk.incoming import IncomingDocuments
from oa_sdk.operations import D
from oa_sdk.session import Session
from oa_sdk.signin import System, TokenDesk
from oa_sdk.wire import API, Patience

TIMEOUT = httpx.Timeout(60.0, connect=10.0)


class _Front(Generic[D]):
    """All that a system may do, in groups."""

    def __init__(self, address: str, system: System, driver: D, patience: Patience) -> None:
        session = Session(TokenDesk(system, f"{address}{API}/token", patience), patience)
        self._named = f"<{type(self).__name__} {address} {system.code}>"
        self._driver: D = driver
        self.directory: Directory[D] = Directory(session, driver)
        self.documents: Documents[D] = Documents(session, driver)
        self.attachments: Attachments[D] = Attachments(session, driver)
        self.incoming: IncomingDocuments[D] = IncomingDocuments(session, driver)
        self.events: Events[D] = Events(session, driver)

    def __repr__(self) -> str:
        return self._named


class Office(_Front[Blocking]):
    """A server, for one of the systems that it lets in. May be used by several threads.

    `address` is the server's (https; plain http on loopback alone), `tls` what its certificate is checked with and, where the
    system shows its own, what `tls_with` gives. Raises ValueError for an address that would send the token in the clear.
    """

    def __init__(
        self,
        address: str,
        system: System,
        *,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        http = httpx.Client(**_options(address, tls, timeout))
        super().__init__(address.rstrip("/"), system, Blocking(http), patience or Patience())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._driver.http.close()


class AsyncOffice(_Front[Asyncio]):
    """As `Office`, for asyncio."""

    def __init__(
        self,
        address: str,
        system: System,
        *,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        http = httpx.AsyncClient(**_options(address, tls, timeout))
        super().__init__(address.rstrip("/"), system, Asyncio(http), patience or Patience())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.http.aclose()


def tls_with(certificate: Path | str, key: Path | str, *, authorities: Path | str | None = None) -> ssl.SSLContext:
    """TLS that shows the system's certificate, so that its token is good on such connections only (RFC 8705). All are PEM files;
    `authorities` are those of the server where they are not the machine's own. Raises OSError."""
    context = ssl.create_default_context(cafile=authorities)
    context.load_cert_chain(certificate, key)
    return context


def _options(address: str, tls: ssl.SSLContext | None, timeout: httpx.Timeout) -> dict[str, Any]:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("the server's address begins with https://")
    return {"base_url": address, "verify": tls or ssl.create_default_context(), "timeout": timeout, "trust_env": False}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
