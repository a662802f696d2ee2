"""The launcher of `hearth cluster`, as far as one machine shows it: what it runs, and how members speak."""
import importlib.util
import io
import pathlib
import struct
import threading
import unittest
from unittest import mock

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "clients/python/hearth/_cluster_launcher.py"
SPEC = importlib.util.spec_from_file_location("cluster_launcher", SOURCE)
launcher = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(launcher)


def gang(rank=0, size=3, addresses=None, secret="abc"):
  addresses = addresses or [f"10.64.3.{number + 1}" for number in range(size)]
  return launcher.Gang({"HEARTH_GANG_RANK": str(rank), "HEARTH_GANG_SIZE": str(size),
                        "HEARTH_GANG_ADDRESS": addresses[rank], "HEARTH_GANG_ADDRESSES": ",".join(addresses),
                        "HEARTH_GANG_SECRET": secret})


class Commands(unittest.TestCase):
  def test_mpirun_stays_in_the_gangs_network_and_notices_silence(self):
    command = launcher.mpirun_command(gang(), 2, ["./model", "10"], "agent")
    text = " ".join(command)
    self.assertIn("--host 10.64.3.1:2,10.64.3.2:2,10.64.3.3:2", text)
    self.assertIn("-np 6", text)
    self.assertIn("--mca btl_tcp_if_include 10.64.3.0/24", text)
    self.assertIn("--mca oob_tcp_keepalive_time 5", text)
    self.assertEqual(command[-2:], ["./model", "10"])

  def test_a_python_program_has_the_launchers_python(self):
    self.assertEqual(launcher.program_command(["./a.py", "1"])[1:], ["./a.py", "1"])
    self.assertEqual(launcher.program_command(["./a", "1"]), ["./a", "1"])

  def test_torch_and_dask_know_rank_0(self):
    self.assertEqual(launcher.torch_variables(gang(2))["RANK"], "2")
    self.assertEqual(launcher.torch_variables(gang(2))["MASTER_ADDR"], "10.64.3.1")
    self.assertIn("tcp://10.64.3.1:8786", launcher.worker_command(gang(1), 1))

  def test_signals_are_exit_codes(self):
    self.assertEqual(launcher.exit_code(-9), 137)
    self.assertEqual(launcher.exit_code(3), 3)


class Members(unittest.TestCase):
  def setUp(self):
    self.ports = mock.patch.object(launcher, "PORT", 0)
    self.ports.start()
    self.addCleanup(self.ports.stop)
    self.gang = gang(1, 2, ["127.0.0.1", "127.0.0.1"])
    self.member = launcher.Member(self.gang)
    # Its thread leaves the listener at the process's end.
    self.addCleanup(self.member.listener.close)
    launcher.PORT = self.member.listener.getsockname()[1]

  def test_runs_what_rank_0_asks_for(self):
    out = io.TextIOWrapper(io.BytesIO())
    with mock.patch.object(launcher.sys, "stdout", out):
      code = launcher.agent(gang(0, 2, ["127.0.0.1", "127.0.0.1"]), "127.0.0.1", ["echo said;", "exit 5"])
    self.assertEqual(code, 5)
    self.assertEqual(out.buffer.getvalue(), b"said\n")

  def test_runs_nothing_for_others(self):
    stranger = gang(0, 2, ["127.0.0.1", "127.0.0.1"], secret="abd")
    with self.assertRaises(OSError):
      launcher.agent(stranger, "127.0.0.1", ["true"])
    with launcher.ask(stranger, "127.0.0.1", {"do": "end"}) as end, self.assertRaises(OSError):
      launcher.receive(end)
    self.assertFalse(self.member.ended.is_set())

  def test_ends_when_rank_0_says_so(self):
    with launcher.ask(self.gang, "127.0.0.1", {"do": "watch"}) as watch:
      self.assertEqual(launcher.receive(watch)[0], b"w")
      with launcher.ask(self.gang, "127.0.0.1", {"do": "end"}) as end:
        self.assertEqual(launcher.receive(end)[0], b"d")
      self.assertEqual(launcher.receive(watch)[0], b"d")
    self.assertTrue(self.member.ended.is_set())

  def test_what_is_too_long_is_refused(self):
    near, far = launcher.socket.socketpair()
    with near, far:
      near.sendall(struct.pack("!cI", b"r", launcher.MOST_MESSAGE + 1))
      with self.assertRaises(ConnectionError):
        launcher.receive(far)

  def test_what_runs_ends_with_the_connection(self):
    done = threading.Event()
    connection = launcher.ask(self.gang, "127.0.0.1", {"do": "run", "command": "echo $$; sleep 600"})
    pid = int(launcher.receive(connection)[1])
    connection.close()

    def gone():
      while pathlib.Path(f"/proc/{pid}").exists():
        launcher.time.sleep(0.01)
      done.set()

    threading.Thread(target=gone, daemon=True).start()
    self.assertTrue(done.wait(30))


if __name__ == "__main__":
  unittest.main()
