"""Operations written once and called from both worlds.

A method under `@operation` is a generator (`wire.Steps`). Called on a part of an `Office` it blocks and returns the result; on
a part of an `AsyncOffice` it is awaited. A method under `@listing` is iterated, with `for` or with `async for`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from oa_sdk.drivers import Asyncio, Blocking
from oa_sdk.session import Session
from oa_sdk.wire import Listing, Steps

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D", Blocking, Asyncio)


class Part(Generic[D]):
    """A group of operations, as `office.documents`."""

    def __init__(self, session: Session, driver: D) -> None:
        self._session = session
        self._driver: D = driver


class operation(Generic[P, T]):  # noqa: N801  a decorator
    """One result."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, part: None, owner: type) -> Self: ...
    @overload
    def __get__(self, part: Part[Blocking], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, part: Part[Asyncio], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, part: Any, owner: type) -> Any:
        if part is None:
            return self

        @wraps(self._steps)
        def call(part: Any, *args: P.args, **named: P.kwargs) -> Any:
            return part._driver.run(self._steps(part, *args, **named))  # noqa: SLF001  its own

        return MethodType(call, part)


class listing(Generic[P, T]):  # noqa: N801  a decorator
    """Many results, read page by page as they are asked for."""

    def __init__(self, pages: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self._pages = pages
        self.__doc__ = pages.__doc__

    @overload
    def __get__(self, part: None, owner: type) -> Self: ...
    @overload
    def __get__(self, part: Part[Blocking], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, part: Part[Asyncio], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, part: Any, owner: type) -> Any:
        if part is None:
            return self

        @wraps(self._pages)
        def call(part: Any, *args: P.args, **named: P.kwargs) -> Any:
            return part._driver.each(self._pages(part, *args, **named))  # noqa: SLF001  its own

        return MethodType(call, part)
