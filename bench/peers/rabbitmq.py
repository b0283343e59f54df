"""RabbitMQ for peers: Debian's broker, on a free port of 127.0.0.1, with files and a port mapper of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.houses import free_port, listens
from bench.peers.missing import PeerMissing
from bench.processes import Server, wait_until

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_S = 60


@dataclass(frozen=True, slots=True)
class Rabbitmq:
    """A broker that runs."""

    url: str
    server: Server


@contextmanager
def rabbitmq(directory: Path) -> Iterator[Rabbitmq]:
    """Run a broker with nothing in it.

    :raises PeerMissing: if it is not installed.
    """
    mapper = shutil.which("epmd")
    if not _PROGRAM.exists() or mapper is None:
        raise PeerMissing("it needs the package rabbitmq-server")
    home = directory.resolve() / "rabbitmq"
    home.mkdir(parents=True)
    port, mapper_port, node_port = free_port(), free_port(), free_port()
    (home / "plugins").write_text("[].\n")
    environment = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_CONFIG_FILE": str(home / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
    }
    with ExitStack() as started:
        # A mapper of our own, in the foreground: the one that Erlang starts by itself would stay.
        words = [mapper, "-address", "127.0.0.1", "-port", str(mapper_port)]
        started.enter_context(Server(words, environment, None, home / "epmd.log"))
        server = started.enter_context(Server([str(_PROGRAM)], environment, None, home / "server.log"))
        wait_until(lambda: listens(port), server, _START_S)
        yield Rabbitmq(f"amqp://guest:guest@127.0.0.1:{port}//", server)
