"""One member of `hearth cluster ENGINE -n N -- PROGRAM`: a gang whose tasks reach each other by a network of their own.

  cluster_launcher.py ENGINE SLOTS PROGRAM [ARGS...]   as the gang's task: mpi, dask or torch
  cluster_launcher.py agent HOST COMMAND...            what Open MPI's mpirun calls where it would call ssh

Rank 0 runs the engine's own mpirun, or scheduler and PROGRAM; the others serve it on their address in the gang's network,
to whoever knows the gang's secret, until it says that it has ended. Python's standard library alone.
"""
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

PORT = 7440
DASK_PORT = 8786
TORCH_PORT = 29500
START_SECONDS = 120  # until every member is there: they fetch their inputs at different speeds
PATIENCE_SECONDS = 25  # for the pool to find out that a member is lost, which is no failure of the program's
MEMBER_LOST = 75  # EX_TEMPFAIL
NO_ANSWER = 255  # as ssh's
NOT_FOUND = 127  # as a shell's
DIRECT_PACKETS = 1200  # nebula looks for a direct way after 1,000 packets by the relay
MOST_WARMED = 32
MOST_MESSAGE = 1 << 20


class Gang:
  def __init__(self, environ):
    self.rank = int(environ["HEARTH_GANG_RANK"])
    self.size = int(environ["HEARTH_GANG_SIZE"])
    self.address = environ["HEARTH_GANG_ADDRESS"]
    self.addresses = environ["HEARTH_GANG_ADDRESSES"].split(",")
    self.secret = environ["HEARTH_GANG_SECRET"].encode()

  @property
  def network(self):
    return ".".join(self.address.split(".")[:3]) + ".0/24"

  def others(self):
    return [address for rank, address in enumerate(self.addresses) if rank != self.rank]


def say(text):
  print("hearth cluster: " + text, file=sys.stderr, flush=True)


# --- what is run


def program_command(words):
  return [sys.executable, *words] if words[0].endswith(".py") else list(words)


def mpirun_command(gang, slots, program, agent):
  """The keep-alives notice a member that is silently cut off within 10 s; by default it would take 8 minutes."""
  settings = [("plm", "rsh"), ("plm_rsh_agent", agent), ("plm_rsh_no_tree_spawn", "1"), ("btl", "tcp,self"),
              ("pml", "ob1"), ("btl_tcp_if_include", gang.network), ("oob_tcp_if_include", gang.network),
              ("oob_tcp_keepalive_time", "5"), ("oob_tcp_keepalive_intvl", "2"), ("oob_tcp_keepalive_probes", "2"),
              ("mpi_yield_when_idle", "1")]
  command = ["mpirun", "--leave-session-attached", "--bind-to", "none"]
  for name, value in settings:
    command += ["--mca", name, value]
  command += ["-np", str(gang.size * slots), "--host", ",".join(f"{address}:{slots}" for address in gang.addresses)]
  return command + program


def scheduler_command(gang):
  # At every address, its own loopback included: there a tunnel comes in (`hearth forward`).
  return ["dask-scheduler", "--host", "0.0.0.0", "--port", str(DASK_PORT), "--no-dashboard"]


def scheduler_address(gang):
  return f"tcp://{gang.addresses[0]}:{DASK_PORT}"


def worker_command(gang, slots):
  return ["dask-worker", scheduler_address(gang), "--host", gang.address, "--name", f"host-{gang.rank}", "--nthreads",
          str(slots), "--memory-limit", "0", "--no-nanny", "--no-dashboard", "--local-directory", "/tmp/dask"]


def torch_variables(gang):
  return {"MASTER_ADDR": gang.addresses[0], "MASTER_PORT": str(TORCH_PORT), "RANK": str(gang.rank),
          "WORLD_SIZE": str(gang.size), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "GLOO_SOCKET_IFNAME": "gang0",
          "TP_SOCKET_IFNAME": "gang0"}


def exit_code(status):
  return 128 - status if status < 0 else status


# --- between members: frames of a kind, a length and that many bytes


def send(connection, kind, data=b""):
  connection.sendall(struct.pack("!cI", kind, len(data)) + data)


def receive_exactly(connection, count):
  data = b""
  while len(data) < count:
    piece = connection.recv(count - len(data))
    if not piece:
      raise ConnectionError("the other side has gone")
    data += piece
  return data


def receive(connection):
  kind, size = struct.unpack("!cI", receive_exactly(connection, 5))
  if size > MOST_MESSAGE:
    raise ConnectionError("a message is too long")
  return kind, receive_exactly(connection, size)


def proof(secret, nonce, request):
  return hmac.new(secret, nonce + request, hashlib.sha256).digest()


def keep_alive(connection):
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 2),
                        (socket.TCP_USER_TIMEOUT, 9000)):
    connection.setsockopt(socket.IPPROTO_TCP, option, value)


def ask(gang, host, request, timeout=10):
  """An open connection to the member, which has been asked."""
  connection = socket.create_connection((host, PORT), timeout)
  try:
    keep_alive(connection)
    kind, nonce = receive(connection)
    if kind != b"n":
      raise ConnectionError("no member answers")
    text = json.dumps(request).encode()
    send(connection, b"r", proof(gang.secret, nonce, text) + text)
    connection.settimeout(None)
  except BaseException:
    connection.close()
    raise
  return connection


class Member:
  """What the others run: serves rank 0."""

  def __init__(self, gang):
    self.gang = gang
    self.ended = threading.Event()  # rank 0 has, with success
    self.listener = socket.create_server((gang.address, PORT), backlog=64)
    threading.Thread(target=self.accept, daemon=True).start()

  def accept(self):
    while True:
      try:
        connection, _ = self.listener.accept()
      except OSError:
        return  # it is closed
      threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

  def serve(self, connection):
    with connection:
      try:
        keep_alive(connection)
        connection.settimeout(10)
        nonce = secrets.token_bytes(32)
        send(connection, b"n", nonce)
        kind, data = receive(connection)
        if kind != b"r" or not hmac.compare_digest(data[:32], proof(self.gang.secret, nonce, data[32:])):
          return
        request = json.loads(data[32:])
        connection.settimeout(None)
        if request["do"] == "run":
          run_for(connection, request["command"])
        elif request["do"] == "watch":
          send(connection, b"w")
          self.ended.wait()
          send(connection, b"d")
        elif request["do"] == "end":
          send(connection, b"d")
          self.ended.set()
      except (OSError, ValueError, KeyError):
        pass


def run_for(connection, command):
  """Runs a shell's line for whoever asked; it ends with the connection."""
  child = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, start_new_session=True)

  def end():
    try:
      os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
      pass

  def end_with_connection():
    try:
      while connection.recv(4096):
        pass
    except OSError:
      pass
    end()

  threading.Thread(target=end_with_connection, daemon=True).start()
  try:
    with child.stdout:
      while piece := child.stdout.read1(65536):
        send(connection, b"o", piece)
    send(connection, b"x", struct.pack("!i", exit_code(child.wait())))
  finally:
    end()
    child.wait()


def agent(gang, host, command):
  with ask(gang, host, {"do": "run", "command": " ".join(command)}) as connection:
    while True:
      kind, data = receive(connection)
      if kind == b"o":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
      elif kind == b"x":
        return struct.unpack("!i", data)[0]


def find_direct_ways(gang):
  """The network begins by the hub's relay, and leaves it after so many packets, where there is another way."""
  if gang.size > MOST_WARMED:
    return
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(DIRECT_PACKETS):
      for address in gang.others():
        try:
          sender.sendto(b"hearth", (address, 9))
        except OSError:
          pass
      time.sleep(0.0005)


# --- rank 0


class Leader:
  def __init__(self, gang):
    self.gang = gang
    self.lost = threading.Event()
    self.engine = None  # what is ended when a member is lost
    self.ending = False

  def gather(self):
    """Waits for every member, then watches each."""
    due = time.monotonic() + START_SECONDS
    for rank, address in enumerate(self.gang.addresses[1:], 1):
      while True:
        try:
          connection = ask(self.gang, address, {"do": "watch"})
          receive(connection)
          break
        except OSError as error:
          if time.monotonic() > due:
            say(f"host-{rank} ({address}) has not come: {error}")
            raise SystemExit(MEMBER_LOST)
          time.sleep(0.1)
      threading.Thread(target=self.watch, args=(rank, connection), daemon=True).start()

  def watch(self, rank, connection):
    try:
      if receive(connection)[0] == b"d":
        return
    except OSError:
      pass
    if self.ending:
      return
    say(f"host-{rank} is lost")
    self.lost.set()
    if self.engine:
      self.engine.kill()

  def run(self, command, variables=None, ends_when_lost=True):
    child = subprocess.Popen(command, env={**os.environ, **(variables or {})})
    if ends_when_lost:
      self.engine = child
      if self.lost.is_set():
        child.kill()
    return exit_code(child.wait())

  def conclude(self, code, matters=True):
    """With success, the others end too. Where a member is lost, the pool finds out and starts all again."""
    if code != 0 and matters:
      if self.lost.wait(2):
        time.sleep(PATIENCE_SECONDS)
        code = MEMBER_LOST
    if code != 0:
      return code
    self.ending = True
    for address in self.gang.addresses[1:]:
      try:
        with ask(self.gang, address, {"do": "end"}) as connection:
          receive(connection)
      except OSError:
        pass  # it has ended by itself, or the pool will find out
    return 0


def wait_for_port(address, port):
  due = time.monotonic() + START_SECONDS
  while True:
    try:
      socket.create_connection((address, port), 5).close()
      return
    except OSError:
      if time.monotonic() > due:
        raise
      time.sleep(0.1)


def lead_mpi(gang, slots, program):
  leader = Leader(gang)
  leader.gather()
  script = f"{sys.executable} {os.path.abspath(__file__)} agent"
  return leader.conclude(leader.run(mpirun_command(gang, slots, program, script)))


def lead_dask(gang, slots, program):
  leader = Leader(gang)
  leader.gather()
  helpers = [subprocess.Popen(scheduler_command(gang))]
  try:
    wait_for_port(gang.address, DASK_PORT)
    if gang.size == 1:
      helpers.append(subprocess.Popen(worker_command(gang, slots)))
    # Dask itself goes on without a worker that is lost.
    code = leader.run(program, {"DASK_SCHEDULER_ADDRESS": scheduler_address(gang)}, ends_when_lost=False)
    return leader.conclude(code, matters=False)
  finally:
    for helper in helpers:
      helper.kill()


def lead_torch(gang, slots, program):
  leader = Leader(gang)
  leader.gather()
  return leader.conclude(leader.run(program, torch_variables(gang)))


# --- the others


def follow(gang, command, variables=None):
  """Ends as what it runs does, or with success as soon as rank 0 has ended with it."""
  member = Member(gang)
  child = subprocess.Popen(command, env={**os.environ, **(variables or {})}) if command else None
  while not member.ended.wait(0.1):
    code = child.poll() if child else None
    if code:
      return exit_code(code)
  if child:
    try:
      child.wait(5)
    except subprocess.TimeoutExpired:
      child.kill()
  return 0


def follow_dask(gang, slots, program):
  member = Member(gang)
  wait_for_port(gang.addresses[0], DASK_PORT)
  child = subprocess.Popen(worker_command(gang, slots))
  while not member.ended.wait(0.1):
    if child.poll() is not None:
      # Its scheduler may have gone a moment before rank 0 says so.
      return 0 if member.ended.wait(10) else exit_code(child.returncode) or 1
  child.kill()
  return 0


ENGINES = {
    "mpi": (lead_mpi, lambda gang, slots, program: follow(gang, None)),
    "dask": (lead_dask, follow_dask),
    "torch": (lead_torch, lambda gang, slots, program: follow(gang, program, torch_variables(gang))),
}


def main(words):
  gang = Gang(os.environ)
  if words[0] == "agent":
    try:
      return agent(gang, words[1], words[2:])
    except OSError as error:
      say(f"{words[1]} does not answer: {error}")
      return NO_ANSWER
  os.environ.setdefault("HWLOC_HIDE_ERRORS", "2")  # guests see no /sys, of which every process of MPI would complain
  lead, serve = ENGINES[words[0]]
  slots, program = int(words[1]), program_command(words[2:])
  threading.Thread(target=find_direct_ways, args=(gang,), daemon=True).start()
  try:
    return (lead if gang.rank == 0 else serve)(gang, slots, program)
  except FileNotFoundError as error:
    say(f"{error.filename} is not installed here: name an environment that has it (--env), or install it on the nodes")
    return NOT_FOUND


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
