"""How functions and values go to another computer.

Values are pickled. Pickle writes a function or class as its module and name; for a module that is installed that is
enough, since it is to be found there too. What a program defines itself, in its main file or a module beside it, goes
along as source: the definition and, from there, every definition, import and value that it uses by name. The other
side gets modules of the same names that hold just these, at the same lines, so that tracebacks read as they would here.

So what travels is defined at the top level of a module. Lambdas, functions within functions and their classes are
refused by name, unless cloudpickle, which can do more, is installed (here and there).
"""

from __future__ import annotations

import __future__
import ast
import contextlib
import dis
import functools
import importlib.util
import inspect
import io
import pickle
import sys
import sysconfig
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hearth.errors import CannotTravel

PROTOCOL = 5
_Cached = type(functools.cache(len))  # what functools.cache makes: it pickles as a function does
_Defined = types.FunctionType | type | _Cached
_ADVICE = "move it to the top level of its file, or install cloudpickle here and where it runs"


class NeedsModule(CannotTravel):
    """Cloudpickle would not help: it too takes modules to be there."""


@dataclass
class _Module:
    """What of a module of the program's own goes along."""

    name: str
    file: str
    future: list[str]  # "annotations"
    lines: dict[int, str] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)  # name here -> module
    submodules: set[str] = field(default_factory=set)
    values: dict[str, tuple[bytes, list[str]]] = field(default_factory=dict)  # pickled, and the own modules it needs


class Parcel:
    """Pickles values and gathers the definitions that they need. `given`: modules that go along as files."""

    def __init__(self, given: frozenset[str] = frozenset()) -> None:
        self._given = given
        self._modules: dict[str, _Module] = {}

    def pickle(self, value: Any, what: str) -> bytes:
        return self._pickle(value, what, set())

    def definitions(self) -> list[dict[str, Any]]:
        """Plain values, as the task's side (_task.py) takes them."""
        return [
            {
                "name": module.name,
                "file": module.file,
                "future": module.future,
                "source": "".join(module.lines.get(i + 1, "\n") for i in range(max(module.lines, default=0))),
                "imports": module.imports,
                "submodules": sorted(module.submodules),
                "values": module.values,
            }
            for module in self._modules.values()
        ]

    def _pickle(self, value: Any, what: str, needs: set[str]) -> bytes:
        into = io.BytesIO()
        try:
            _Pickler(into, self, needs).dump(value)
        except CannotTravel as error:
            error.args = (f"{what}: {error}",)
            raise
        except Exception as error:  # whatever an object's own __reduce__ raises
            raise CannotTravel(f"{what} cannot be pickled: {error}") from error
        return into.getvalue()

    def need(self, thing: Any, needs: set[str]) -> None:
        """Has the definition go along, if it is one of the program's own."""
        name, module = thing.__qualname__, thing.__module__ or ""
        if isinstance(thing, types.FunctionType) and thing.__name__ == "<lambda>":
            raise CannotTravel(f"a lambda ({_place_of(thing)}) has no name to find it by: write a def, {_ADVICE}")
        if not self.is_own(module):
            return
        if "<locals>" in name:
            outer, _, inner = name.rpartition(".<locals>.")
            caught = ", ".join(getattr(getattr(thing, "__code__", None), "co_freevars", ()))
            closure = f" and remembers its {caught}" if caught else ""
            raise CannotTravel(f"{inner} ({_place_of(thing)}) is defined within {outer}{closure}: {_ADVICE}")
        top = name.split(".")[0]
        holder = sys.modules[module]
        found = functools.reduce(lambda at, part: getattr(at, part, None), name.split("."), holder)
        if found is not thing:
            raise CannotTravel(f"{module}.{name} is not what its module calls {name} now: {_ADVICE}")
        needs.add(module)
        self._define(holder, module, top)

    def _define(self, holder: types.ModuleType, name: str, top: str) -> None:
        module = self._modules.get(name)
        if module is None:
            future = [one for one in __future__.all_feature_names if vars(holder).get(one) is getattr(__future__, one)]
            file = getattr(holder, "__file__", None) or f"<{name}>"
            module = self._modules[name] = _Module(name, file, future)
        if top in module.defined:
            return
        module.defined.add(top)
        lines, first = _source_of(holder, top)
        text = textwrap.dedent("".join(lines))
        for number, line in enumerate(text.splitlines(keepends=True)):
            module.lines[first + number] = line if line.endswith("\n") else line + "\n"
        uses = _uses_of(text, module.future)
        for imported in sorted(uses.imports):
            self._refuse_own_module(imported, top)
        for used in sorted(uses.names & vars(holder).keys()):
            self._bind(module, vars(holder)[used], used, uses.attributes, f"{top} uses {used}, which")

    def _bind(self, module: _Module, value: Any, name: str, attributes: set[str], what: str) -> None:
        if name in module.defined or name in module.values or name == "__name__":
            return
        if isinstance(value, types.ModuleType):
            self._refuse_own_module(value.__name__, module.name)
            module.imports[name] = value.__name__
            inside = value.__name__ + "."
            module.submodules.update(
                loaded
                for loaded in list(sys.modules)
                if loaded.startswith(inside) and attributes.issuperset(loaded.removeprefix(inside).split("."))
            )
        elif isinstance(value, _Defined) and (value.__module__, value.__qualname__) == (module.name, name):
            self.need(value, set())
        else:
            needs: set[str] = set()
            module.values[name] = (b"", [])  # against going round
            module.values[name] = (self._pickle(value, what, needs), sorted(needs))

    def is_own(self, name: str) -> bool:
        return name.partition(".")[0] not in self._given and _is_own(name)

    def _refuse_own_module(self, name: str, user: str) -> None:
        if self.is_own(name):
            raise NeedsModule(
                f"{user} imports {name}, a module of your own: have its file or folder go along, Pool(inputs=[...])"
            )


class _Pickler(pickle.Pickler):
    def __init__(self, into: io.BytesIO, parcel: Parcel, needs: set[str]) -> None:
        super().__init__(into, PROTOCOL)
        self._parcel = parcel
        self._needs = needs

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, _Defined):
            self._parcel.need(obj, self._needs)
        elif isinstance(obj, typing.TypeVar) and self._parcel.is_own(obj.__module__):
            return typing.TypeVar, (obj.__name__,)  # for annotations alone
        return NotImplemented


@dataclass(frozen=True)
class _Uses:
    """What a definition looks up outside of itself."""

    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)  # by statements within


def _uses_of(text: str, future: list[str]) -> _Uses:
    flags = functools.reduce(lambda flags, one: flags | getattr(__future__, one).compiler_flag, future, 0)
    uses = _Uses()
    kinds = {"LOAD_GLOBAL": uses.names, "LOAD_NAME": uses.names, "IMPORT_NAME": uses.imports}
    kinds |= {"LOAD_ATTR": uses.attributes, "LOAD_METHOD": uses.attributes}
    for instruction in _instructions(compile(text, "<definition>", "exec", flags=flags, dont_inherit=True)):
        if instruction.opname in kinds:
            kinds[instruction.opname].add(instruction.argval)
    return uses


def _instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)


def _source_of(holder: types.ModuleType, name: str) -> tuple[list[str], int]:
    """The lines of a definition at the top level of a module, and the number of the first."""
    try:
        with contextlib.suppress(OSError, TypeError):
            return inspect.getsourcelines(inspect.unwrap(getattr(holder, name)))
        # Made by an assignment: Point = namedtuple("Point", "x y")
        lines, _ = inspect.findsource(holder)
        for statement in ast.parse("".join(lines)).body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return lines[statement.lineno - 1 : statement.end_lineno], statement.lineno
    except (OSError, TypeError):
        pass
    raise CannotTravel(f"the source of {name} cannot be read (typed at a prompt?): write it to a file")


@functools.cache
def _is_own(name: str) -> bool:
    """Whether a module is the program's: neither Python's nor installed, so that others do not have it."""
    if name == "__main__":
        return True
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None:
        try:
            spec = importlib.util.find_spec(name.partition(".")[0])
        except (ImportError, ValueError):
            return False
        file = spec.origin if spec is not None and spec.has_location else None
    if file is None:
        return False
    path = Path(file).resolve()
    standard = {Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib")}
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return not installed and not any(path.is_relative_to(folder) for folder in standard)


def _place_of(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno}" if code else thing.__module__


def function_name(function: Callable[..., Any]) -> str:
    """How people name it."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__
