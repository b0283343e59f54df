"""SOAP peers of M1 and M2: the contract's WSDL served by other stacks, each job one durable row of SQLite.

None asks for a login. The table is the same for all: WAL, ``synchronous=FULL``. gSOAP has a thread for each client, PHP
a process, each with a connection of its own to the database; node has one for everything.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.houses import Running, free_port, listens
from bench.messages import Target
from bench.peers.missing import PeerMissing
from bench.processes import Server, wait_until

_HERE = Path(__file__).resolve().parent
_WSDL = _HERE.parent.parent / "wsdl" / "SchedulingService.single.wsdl"
#: Where npm puts what node's peer needs.
_NODE_HOME = Path(".run/node")
_OPERATION = re.compile(r"int SOAP_FMAC6 (__tempuri__(\w+)\([^;]*\));")
_TABLE = "CREATE TABLE job (id TEXT PRIMARY KEY, description TEXT, content TEXT, created TEXT) WITHOUT ROWID"


@contextmanager
def php(directory: Path, core: int | None) -> Iterator[Running]:
    """Run PHP's SoapServer: php-fpm with as many workers as there are clients behind nginx, nothing opened twice.

    :raises PeerMissing: if a part of it is not installed.
    """
    fpm = next(iter(sorted(Path("/usr/sbin").glob("php-fpm*"), reverse=True)), None)
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if fpm is None or nginx is None:
        raise PeerMissing("it needs the packages php-fpm, php-soap, php-sqlite3 and nginx-light")
    modules = subprocess.run([str(fpm), "-m"], capture_output=True, text=True).stdout.split()
    if not {"soap", "pdo_sqlite"} <= {module.lower() for module in modules}:
        raise PeerMissing("it needs the packages php-soap and php-sqlite3")
    home, port = _prepare(directory), free_port()
    (home / "fpm.conf").write_text(_fpm_config(home))
    (home / "nginx.conf").write_text(_nginx_config(home, port))
    flags = ["-d", "opcache.enable=1", "-d", f"soap.wsdl_cache_dir={home}", *(["-R"] if os.geteuid() == 0 else [])]
    front = [nginx, "-e", str(home / "nginx.err"), "-c", str(home / "nginx.conf")]
    with (
        Server([str(fpm), "-F", "-y", str(home / "fpm.conf"), *flags], {}, core, home / "server.log") as server,
        Server(front, {}, core, home / "server.log") as web,
    ):
        wait_until(lambda: listens(port) and (home / "fpm.sock").exists(), web)
        yield Running(server, Target(port, "/"), directory=home, beside=[web])


@contextmanager
def gsoap(directory: Path, core: int | None) -> Iterator[Running]:
    """Build and run a gSOAP server: one process, a thread for each connection.

    :raises PeerMissing: if gSOAP or a compiler is not installed.
    """
    tools = {"gsoap": ("wsdl2h", "soapcpp2"), "gcc": ("gcc",)}
    missing = [package for package, names in tools.items() if not all(shutil.which(name) for name in names)]
    if not missing:
        headers = {"libgsoap-dev": "stdsoap2.h", "libsqlite3-dev": "sqlite3.h"}
        missing = [package for package, header in headers.items() if not _is_found(header)]
    if missing:
        raise PeerMissing(f"it needs the packages {', '.join(missing)}")
    home, port = _prepare(directory), free_port()
    _build_gsoap(home)
    yield from _run([str(home / "soap_peer"), str(port), str(home / "peer.db")], {}, core, home, port)


@contextmanager
def node(directory: Path, core: int | None) -> Iterator[Running]:
    """Run npm's ``soap`` with ``better-sqlite3``: one process.

    :raises PeerMissing: if node or a package is not installed.
    """
    program, modules = shutil.which("node"), _NODE_HOME.resolve() / "node_modules"
    if program is None or not all((modules / package).is_dir() for package in ("soap", "better-sqlite3")):
        raise PeerMissing(f"it needs node, and the packages of bench/peers/node in {_NODE_HOME} (bench/README.rst)")
    home, port = _prepare(directory), free_port()
    command = [program, str(_HERE / "soap_peer.js"), str(port), str(_WSDL), str(home / "peer.db")]
    yield from _run(command, {"NODE_PATH": str(modules)}, core, home, port)


class Peer(NamedTuple):
    """How a peer is called, and how it is run."""

    name: str
    run: Callable[[Path, int | None], AbstractContextManager[Running]]


#: By the keys that goals have.
PEERS = {
    "php": Peer("PHP SoapServer, nginx and php-fpm", php),
    "gsoap": Peer("gSOAP", gsoap),
    "node": Peer("node soap", node),
}


def all_jobs(peer: Running) -> dict[str, str]:
    """Return the description of every job that the peer has stored, by its id."""
    with closing(sqlite3.connect(f"file:{peer.directory / 'peer.db'}?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT id, description FROM job"))


def _prepare(directory: Path) -> Path:
    """Make the peer's home with an empty database; return it."""
    home = directory.resolve()
    home.mkdir(parents=True)
    home.chmod(0o755)
    with closing(sqlite3.connect(home / "peer.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(_TABLE)
    return home


def _run(command: list[str], environment: dict[str, str], core: int | None, home: Path, port: int) -> Iterator[Running]:
    with Server(command, environment, core, home / "server.log") as server:
        wait_until(lambda: listens(port), server)
        yield Running(server, Target(port, "/"), directory=home)


def _build_gsoap(home: Path) -> None:
    _build(home, ["wsdl2h", "-c", "-o", "job.h", str(_WSDL)])
    _build(home, ["soapcpp2", "-c", "-S", "-L", "-x", "job.h"])
    declared = _OPERATION.findall((home / "soapStub.h").read_text())
    others = [head for head, name in declared if name not in ("ScheduleJob", "GetJob")]
    (home / "others.c").write_text(
        '#include "soapH.h"\n' + "".join(f"int {head} {{ return SOAP_NO_METHOD; }}\n" for head in others)
    )
    names = next(home.glob("Basic*.nsmap")).name
    compiler = ["gcc", "-O2", "-w", "-DWITH_FASTMODE", f'-DBENCH_NSMAP="{names}"', "-I.", str(_HERE / "soap_peer.c")]
    libraries = ["-lgsoap", "-lsqlite3", "-lpthread"]
    _build(home, [*compiler, "others.c", "soapC.c", "soapServer.c", *libraries, "-o", "soap_peer"])


def _is_found(header: str) -> bool:
    """Return whether the C compiler finds this header."""
    command = ["gcc", "-E", "-x", "c", "-"]
    return not subprocess.run(command, input=f"#include <{header}>\n", capture_output=True, text=True).returncode


def _build(home: Path, command: list[str]) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise PeerMissing(f"it could not be built: {done.stderr[-300:]}")


def _fpm_config(home: Path) -> str:
    return f"""[global]
error_log={home}/fpm.log
daemonize=no
[bench]
{"user=root" if os.geteuid() == 0 else ""}
{"group=root" if os.geteuid() == 0 else ""}
listen={home}/fpm.sock
pm=static
pm.max_children=16
"""


def _nginx_config(home: Path, port: int) -> str:
    parameters = {
        "SCRIPT_FILENAME": _HERE / "soap_peer.php",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "HTTP_SOAPACTION": "$http_soapaction",
        "BENCH_DB": home / "peer.db",
        "BENCH_WSDL": _WSDL,
    }
    given = "\n".join(f"fastcgi_param {name} {value};" for name, value in parameters.items())
    places = "\n".join(f"{kind}_temp_path {home}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.err;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 256; }}
http {{
access_log off; client_body_temp_path {home}/body; {places}
keepalive_requests 100000000;
upstream fpm {{ server unix:{home}/fpm.sock; keepalive 16; }}
server {{ listen 127.0.0.1:{port}; location / {{ fastcgi_pass fpm; fastcgi_keep_conn on; {given} }} }}
}}
"""


@contextmanager
def present(directory: Path, core: int | None) -> Iterator[tuple[dict[str, Running], list[str]]]:
    """Run all peers that are installed; give them by key, and what is to be said of the others."""
    found: dict[str, Running] = {}
    missing = []
    with ExitStack() as started:
        for key, peer in PEERS.items():
            try:
                found[key] = started.enter_context(peer.run(directory / key, core))
            except PeerMissing as reason:
                missing.append(f"{peer.name} is not measured: {reason}.")
        yield found, missing
