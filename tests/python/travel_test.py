"""What can go to another computer, and how what cannot is refused; trees that come from elsewhere. Without a pool."""

import contextlib
import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import harness
import work
from hearth import _protobuf, _trees
from hearth._travel import Parcel
from hearth.errors import CannotTravel, HearthError

not_a_def = lambda x: x  # noqa: E731


def uses_a_lambda(x):
    return not_a_def(x)


def imports_a_module_of_its_own():
    import shapes

    return shapes


class CannotTravelTest(unittest.TestCase):
    def assert_refused(self, value: object, sentence: str) -> None:
        with self.assertRaisesRegex(CannotTravel, sentence):
            Parcel().pickle(value, "work")

    def test_lambdas_are_refused(self) -> None:
        self.assert_refused(lambda x: x, r"a lambda \(travel_test.py, line \d+\) has no name")
        self.assert_refused(uses_a_lambda, r"uses_a_lambda uses not_a_def, which: a lambda")

    def test_closures_are_refused(self) -> None:
        offset = 1

        def local(x):
            return x + offset

        self.assert_refused(local, r"local \(.+\) is defined within .+ and remembers its offset: move it")

    def test_local_classes_are_refused(self) -> None:
        class Local:
            pass

        self.assert_refused(Local(), r"Local .+ is defined within")

    def test_what_cannot_be_pickled_is_named(self) -> None:
        self.assert_refused(work.uses_lock, "uses_lock uses LOCK, which cannot be pickled: cannot pickle '_thread")
        self.assert_refused([threading.Lock()], "work cannot be pickled")

    def test_modules_of_ones_own_are_named(self) -> None:
        self.assert_refused(imports_a_module_of_its_own, r"imports shapes, a module of your own: .+Pool\(inputs")
        Parcel(frozenset({"shapes"})).pickle(imports_a_module_of_its_own, "work")

    def test_functions_that_were_replaced_are_refused(self) -> None:
        def square(x):
            return x

        square.__module__, square.__qualname__ = work.__name__, "square"
        self.assert_refused(square, "work.square is not what its module calls square now")

    def test_functions_without_a_source_are_refused(self) -> None:
        text = "import hearth\ndef f(x):\n    return x\nfrom hearth._travel import Parcel\nParcel().pickle(f, 'f')\n"
        environment = os.environ | {"PYTHONPATH": str(harness.REPOSITORY / "clients" / "python")}
        run = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
        self.assertIn("the source of f cannot be read", run.stderr)

    def test_installed_functions_go_by_name_alone(self) -> None:
        parcel = Parcel()
        self.assertIs(pickle.loads(parcel.pickle(os.path.join, "join")), os.path.join)
        self.assertEqual(parcel.definitions(), [])

    def test_only_what_is_used_goes_along(self) -> None:
        parcel = Parcel()
        parcel.pickle(work.other_modules_class, "work")
        modules = {one["name"]: one for one in parcel.definitions()}
        self.assertEqual(set(modules), {"work", "shapes"})
        self.assertNotIn("square", modules["work"]["source"])
        self.assertIn("class Shape:", modules["shapes"]["source"])
        line = work.other_modules_class.__code__.co_firstlineno
        self.assertEqual(modules["work"]["source"].splitlines()[line - 1], "def other_modules_class(side):")


class TreesTest(unittest.TestCase):
    def test_trees_are_read_as_they_were_written(self) -> None:
        files = [_trees.TreeFile("a/ö.txt", b"x" * 32, 1 << 40, True), _trees.TreeFile("b", b"y" * 32, 0)]
        self.assertEqual(_trees.decode(_trees.encode(reversed(files))), files)

    def test_paths_that_lead_elsewhere_are_refused(self) -> None:
        for path in ("", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\nb", "x" * 5000):
            tree = _trees.encode([_trees.TreeFile(path, b"x" * 32, 1)])
            with self.assertRaises(HearthError, msg=path):
                _trees.decode(tree)

    def test_garbage_is_refused(self) -> None:
        whole = _trees.encode([_trees.TreeFile("a", b"x" * 32, 1)])
        for cut in range(1, len(whole)):
            self.assertRaises(HearthError, _trees.decode, whole[:cut])
        self.assertRaises(HearthError, _trees.decode, _trees.encode([_trees.TreeFile("a", b"short", 1)]))
        for _ in range(2000):
            with contextlib.suppress(HearthError):
                _trees.decode(os.urandom(40))
        self.assertRaises(ValueError, list, _protobuf.fields(b"\xff" * 20))

    def test_folders_are_scanned_as_the_command_line_does(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path("data/deep").mkdir(parents=True)
            Path("data/deep/x.txt").write_text("x")
            Path("run").write_text("y")
            Path("run").chmod(0o755)
            entries = {file.entry.path: file.entry for file in _trees.scan(["data/", Path(folder) / "run"])}
            self.assertEqual(set(entries), {"data/deep/x.txt", "run"})
            self.assertEqual(entries["run"], _trees.TreeFile("run", hashlib.sha256(b"y").digest(), 1, True))
            self.assertRaisesRegex(HearthError, "two inputs would both be run", _trees.scan, ["run", "./run"])


if __name__ == "__main__":
    unittest.main()
