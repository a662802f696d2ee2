"""One of the examples that check their own answer, in a pool of three nodes; examples/check runs all of them."""

import os
import subprocess
import unittest

import harness


class ExamplesTest(unittest.TestCase):
    def test_a_picture_rendered_in_stripes_all_over_the_pool_is_the_whole_picture(self) -> None:
        environment = os.environ | {"HEARTH": str(harness.PROGRAM), "WIDTH": "160", "HEIGHT": "120", "STRIPES": "6"}
        command = [harness.REPOSITORY / "examples" / "check", "pov-rows"]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.stdout.startswith("SKIPPED"):
            self.skipTest(run.stdout)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("ok pov-rows", run.stdout)


if __name__ == "__main__":
    unittest.main()
