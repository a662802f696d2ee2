"""Files that go along and come back."""

import contextlib
import functools
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import harness
import hearth
import work


class FilesTest(harness.PoolTest):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hearth-e2e-")))
        self.enterContext(contextlib.chdir(self.folder))

    def test_files_go_and_come_back(self) -> None:
        names = ["Überschrift.txt", "b.txt"]
        for name in names:
            Path(name).write_text(name * 3)
        with hearth.Pool(self.token, inputs=names, outputs=["*.txt"], into="made") as pool:
            self.assertEqual(list(pool.map(work.count_letters, names, chunksize=1)), [45, 15])
        self.assertEqual(Path("made/Überschrift-Zahl.txt").read_text(), "45\n")
        self.assertEqual(sorted(path.name for path in Path("made").iterdir()), ["b-Zahl.txt", "Überschrift-Zahl.txt"])

    def test_two_files_of_one_name_are_told(self) -> None:
        with hearth.Pool(self.token, outputs=["same.txt"]) as pool:
            with self.assertRaisesRegex(hearth.HearthError, "two calls made different files same.txt"):
                list(pool.map(work.same_file, [1, 2], chunksize=1))

    def test_an_input_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(hearth.HearthError, "nowhere.txt does not exist"):
            hearth.Pool(self.token, inputs=["nowhere.txt"])

    def test_patterns_that_lead_elsewhere_are_refused(self) -> None:
        for pattern in ("", "/etc/*", "../x", "a/../../x"):
            with self.assertRaisesRegex(ValueError, "a pattern is relative"):
                hearth.Pool(self.token, outputs=[pattern])

    def test_a_module_of_ones_own_goes_along_as_a_file(self) -> None:
        Path("tools_of_mine.py").write_text("def triple(x):\n    return 3 * x\n")
        Path("main.py").write_text(
            "import sys\nimport hearth\nimport tools_of_mine\n\n\n"
            "def work(x):\n    return tools_of_mine.triple(x)\n\n\n"
            "print(list(hearth.Pool(inputs=sys.argv[1:]).map(work, range(3))))\n"
        )
        environment = self.server.environment | {"HEARTH_TOKEN": self.token}
        run = functools.partial(subprocess.run, env=environment, capture_output=True, text=True, timeout=120)
        refused = run([sys.executable, "main.py"])
        self.assertIn("tools_of_mine, a module of your own", refused.stderr)
        self.assertEqual(run([sys.executable, "main.py", "tools_of_mine.py"]).stdout, "[0, 3, 6]\n")


if __name__ == "__main__":
    unittest.main()
