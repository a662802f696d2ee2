"""A program goes on when another PC's hub holds the pool."""

import json
import subprocess
import unittest

import harness
import hearth
import work


class StandbyTest(unittest.TestCase):
    def setUp(self) -> None:
        self.first, self.second = harness.Server(), harness.Server()
        self.addCleanup(self.second.close)
        self.addCleanup(self.first.close)
        self.first.up()
        self.stand_by()

    def stand_by(self) -> None:
        invitation = json.loads(self.first.cli("invite", "--role", "owner", "--no-wait", "--json"))
        words = ["up", "--address", "127.0.0.1", "--port", "0", "--no-invite", "--standby-of", invitation["links"][0]]
        coming = subprocess.Popen(
            [harness.PROGRAM, *words],
            env=self.second.environment,
            cwd=self.second.work,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        harness.until(lambda: bool(self.pending()), "the second PC asks to come in")
        self.first.cli("devices", "allow", self.pending()[0]["name"])
        self.assertEqual(coming.wait(harness.LIMIT_SECONDS), 0)
        harness.until(lambda: self.is_whole(self.first), "the second PC has everything")

    def pending(self) -> list[dict]:
        return json.loads(self.first.cli("devices", "--json")).get("pending", [])

    def is_whole(self, server: harness.Server) -> bool:
        hubs = json.loads(server.cli("status", "--json")).get("hubs", [])
        return len(hubs) == 2 and any(hub.get("in_step") for hub in hubs)

    def test_calls_find_the_hub_that_holds_the_pool(self) -> None:
        with hearth.Pool(self.first.token("program")) as pool:
            self.assertEqual(pool.submit(work.square, 3).result(harness.LIMIT_SECONDS), 9)
            self.second.cli("standby", "promote")
            self.assertEqual(list(pool.map(work.square, range(4))), [0, 1, 4, 9])
            harness.until(lambda: self.is_whole(self.second), "the first PC follows")
            self.first.down()
            self.assertEqual(pool.submit(work.square, 5).result(harness.LIMIT_SECONDS), 25)


if __name__ == "__main__":
    unittest.main()
