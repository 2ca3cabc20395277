"""Types and array shapes in signatures are checked while tests run.

jaxtyping calls each function in a scope of its own, where a name of a dimension has one size, and checks its arguments
twice: tens of microseconds for each call, which is a good part of what tests take. Where a signature has arrays, that
is done. All other signatures, and so most calls, are checked by beartype alone, against the same types.
"""

import functools
import inspect
import typing
from dataclasses import is_dataclass
from types import FunctionType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError, install_import_hook, jaxtyped

_CONF = BeartypeConf(violation_type=TypeCheckError)


def check_types(package: str) -> None:
    """From now on, what is imported of ``package`` checks the types of its arguments and results."""
    jaxtyping.jaxtyped = _decorator  # type: ignore[assignment]  # the hook puts it on every function and class
    install_import_hook(package, "beartype.beartype")


def _decorator(*, typechecker: Any) -> Any:
    """Stands for ``jaxtyped`` in the code that the hook imports."""
    return functools.partial(_checked, shaped=jaxtyped(typechecker=typechecker))


def _checked(made: Any, shaped: Any) -> Any:
    """A function, method or class whose types are checked. ``shaped`` makes that of a function with arrays."""
    again = functools.partial(_checked, shaped=shaped)
    if inspect.isclass(made):
        if is_dataclass(made) and "__init__" in vars(made) and not hasattr(made.__init__, "__wrapped__"):
            made.__init__ = again(made.__init__)
        return made
    if isinstance(made, (classmethod, staticmethod)):
        return type(made)(again(made.__func__))
    if isinstance(made, property):
        return property(*(part and again(part) for part in (made.fget, made.fset, made.fdel)))
    if not isinstance(made, FunctionType) or inspect.isgeneratorfunction(made):
        return shaped(made)
    hints = {name: _resolved(made, name) for name in made.__annotations__}
    return shaped(made) if any(map(_has_arrays, hints.values())) else _plain(made, hints)


def _plain(made: FunctionType, hints: dict[str, Any]) -> Any:
    """A function whose arguments and result are checked to be of the types ``hints``."""
    same = FunctionType(made.__code__, made.__globals__, made.__name__, made.__defaults__, made.__closure__)
    same.__kwdefaults__, same.__annotations__, same.__qualname__ = made.__kwdefaults__, hints, made.__qualname__
    return functools.update_wrapper(beartype(same, conf=_CONF), made)


def _resolved(made: FunctionType, name: str) -> Any:
    """The type of an argument or of the result ("return"); anything if it is known to type checkers only."""

    def holder() -> None: ...

    holder.__annotations__ = {name: made.__annotations__[name]}
    try:
        return typing.get_type_hints(holder, made.__globals__, include_extras=True)[name]
    except Exception:
        return Any


def _has_arrays(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(map(_has_arrays, typing.get_args(hint)))
