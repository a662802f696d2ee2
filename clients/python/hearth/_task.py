"""The task's side. Sent along with every job, and run there as a program of its own: it needs nothing but Python 3.8.

    python3 hearth-call/task.py INDEX

reads hearth-call/function and the INDEX-th of hearth-call/chunks, calls the function for each of the chunk's arguments
and leaves hearth-call/out/result, and beside it the files that match the patterns of the Pool's outputs.
"""

import __future__

import glob
import importlib
import linecache
import os
import pickle
import struct
import sys
import traceback
import types

FOLDER = "hearth-call"


def main(index):
    home = sys.path[0] = os.getcwd()
    with open(FOLDER + "/function", "rb") as file:
        call = pickle.load(file)
    before = files_of(call["outputs"])
    results = run(call, read_chunk(index))
    os.chdir(home)
    os.makedirs(FOLDER + "/out/files")
    for path, state in files_of(call["outputs"]).items():
        if before.get(path) != state:
            kept = os.path.join(FOLDER, "out", "files", path)
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            os.rename(path, kept)
    with open(FOLDER + "/out/result", "wb") as file:
        file.write(pickled(results, call))


def read_chunk(index):
    with open(FOLDER + "/chunks", "rb") as file:
        file.seek(8 * index)
        begin, end = struct.unpack("<QQ", file.read(16))
        file.seek(begin)
        return file.read(end - begin)


def run(call, chunk):
    """A list of (True, value), up to the first failure: (False, exception or None, how it reads, traceback)."""
    try:
        load = loader(call)
        define(call["definitions"])
        function, initialize = load(call["function"])
        if initialize is not None:
            initialize[0](*initialize[1])
        calls = load(chunk)
    except BaseException as error:
        return [failure(error, call)]
    results = []
    for args, kwargs in calls:
        try:
            results.append((True, function(*args, **kwargs)))
        except BaseException as error:
            results.append(failure(error, call))
            break
    return results


def failure(error, call):
    # The first frame is ours.
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next))
    print(text, end="", file=sys.stderr)
    try:
        spelled = dumper(call)(error)
        loader(call)(spelled)
    except Exception:
        spelled = None  # only its text can go back
    return False, spelled, "".join(traceback.format_exception_only(type(error), error)).strip(), text


def pickled(results, call):
    dump = dumper(call)
    try:
        return dump(results)
    except Exception:
        for at, result in enumerate(results):
            try:
                dump(result)
            except Exception as error:
                message = "the result, a %s, cannot be pickled: %s" % (type(result[1]).__qualname__, error)
                return dump(results[:at] + [failure(TypeError(message), call)])
        raise


def loader(call):
    here = list(sys.version_info[:2])
    if call["cloudpickle"]:
        if here != call["python"]:
            raise RuntimeError(
                "the function was pickled by cloudpickle for Python %d.%d, and this is %d.%d: write it at the top "
                "level of its file, or use an environment with the same Python" % (*call["python"], *here)
            )
        try:
            importlib.import_module("cloudpickle")
        except ImportError:
            raise RuntimeError(
                "the function was pickled by cloudpickle, which is not installed where it runs: write it at the top "
                "level of its file, or use an environment with cloudpickle"
            ) from None
    return pickle.loads


def dumper(call):
    dump = importlib.import_module("cloudpickle").dumps if call["cloudpickle"] else pickle.dumps
    return lambda value: dump(value, protocol=5)


def define(definitions):
    """Makes the program's modules, each after those that it needs; in a circle, as far as that goes."""
    waiting = {one["name"]: one for one in definitions}
    for name, one in waiting.items():
        module = types.ModuleType(name)
        module.__file__ = one["file"]
        sys.modules[name] = module
        if "." in name and name.rpartition(".")[0] in sys.modules:
            setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)
    made = set()
    while waiting:
        needs = {name: others(one) - made for name, one in waiting.items()}
        name = min(needs, key=lambda name: len(needs[name]))
        make(waiting.pop(name), made)
        made.add(name)
    for one in definitions:
        bind(one, lambda needed: True)


def others(one):
    return {module for _, needed in one["values"].values() for module in needed} - {one["name"]}


def make(one, made):
    space = vars(sys.modules[one["name"]])
    for submodule in one["submodules"]:
        importlib.import_module(submodule)
    for name, module in one["imports"].items():
        space[name] = importlib.import_module(module)
    bind(one, made.issuperset)
    lines = one["source"].splitlines(keepends=True)
    linecache.cache[one["file"]] = (len(one["source"]), None, lines, one["file"])
    flags = 0
    for feature in one["future"]:
        flags |= getattr(__future__, feature).compiler_flag
    exec(compile(one["source"], one["file"], "exec", flags=flags, dont_inherit=True), space)


def bind(one, can_load):
    space = vars(sys.modules[one["name"]])
    for name, (spelled, needed) in one["values"].items():
        if name not in space and can_load(needed):
            space[name] = pickle.loads(spelled)


def files_of(patterns):
    """The files that match, each with what shows that it was changed."""
    found = {}
    for pattern in patterns:
        for path in glob.glob(pattern, recursive=True):
            if os.path.isfile(path) and not path.startswith(FOLDER + "/"):
                state = os.stat(path)
                found[os.path.normpath(path)] = (state.st_ino, state.st_size, state.st_mtime_ns)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
