"""The SSH client of tasks: logs in to an allowed address, with a host key that is known or seen for the first time."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, model_validator

from dispatcher.core import references
from dispatcher.core.accounts import Account
from dispatcher.core.errors import InvalidValue
from dispatcher.tasks import host_keys, targets
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType, is_parameter

if TYPE_CHECKING:
    import paramiko

_PASSWORD = "_PASSWORD"  # noqa: S105 - the end of a variable's name
#: What is said when the library is not there.
NOT_INSTALLED = "SSH is not available on this agent: install dispatcher[ssh]"
#: The usual port.
SSH = 22
#: What names the computer that a run is for. Nobody else gets the account of its credential set.
ITSELF = ("@[address]", "@[name]")
_CHUNK = 1 << 15
#: How long after the last bytes it may take to show that the connection has ended, in seconds.
_END_S = 1.0
#: How often something is sent where nothing needs to come, so that a connection that has died ends, in seconds.
_ALIVE_S = 30


class LoginRefused(TaskFailed):
    """The other computer does not let this user in."""

    code = "task.login_refused"


class SshSettings(TaskSettings):
    """What all tasks have that log in by SSH. Without ``credentials`` they use the credential set of the run."""

    host: Annotated[Text, Field(min_length=1)] = "@[address]"
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None  #: none: that of the credential set, else 22
    credentials: Annotated[Text, AfterValidator(is_parameter)] | None = None  #: ``$[Name]`` of a credentials parameter
    host_key: Text | None = None  #: the fingerprint (``SHA256:…``) of the only key to accept, instead of a known one
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0  #: for the connection, and between parts of the answer

    @model_validator(mode="after")
    def _sets_are_for_the_computer_itself(self) -> SshSettings:
        if self.credentials is None and self.host not in ITSELF:
            raise ValueError(f"credentials are needed: credential sets are for {' and '.join(ITSELF)} only")
        return self


SshSettingsT = TypeVar("SshSettingsT", bound=SshSettings)


class SshType(WorkType[SshSettingsT]):
    """A task type that logs in by SSH."""

    def is_remote(self, settings: Mapping[str, Any]) -> bool:  # noqa: ARG002 - all are
        """Whether any agent can do it: always."""
        return True

    def needs_account(self, settings: Mapping[str, Any]) -> bool:
        """Whether a task with these *settings* logs in with the credential set of the run."""
        return settings.get("credentials") is None


@contextmanager
def connected(settings: SshSettings, tools: Tools) -> Iterator[paramiko.Transport]:
    """Give a connection that is logged in.

    :raises TaskFailed: if there is none, or nobody may log in.
    :raises RefusedByPolicy: if the address may not be called.
    """
    _require_library()
    account = _account(settings, tools)
    host = tools.fill(settings.host).strip()
    if not host:
        raise TaskFailed(f"{settings.host} is empty: it is not known where to log in")
    port = settings.port or account.port or SSH
    try:
        stream = targets.connect(tools.networks, host, port, settings.timeout_s)
    except OSError as error:
        raise TaskFailed(f"no connection to {host} port {port}: {error}") from None
    pinned = tools.fill(settings.host_key) if settings.host_key else ""
    with logged_in(stream, (host, port), account, tools.home, settings.timeout_s, pinned) as transport:
        yield transport


@contextmanager
def logged_in(
    stream: socket.socket, place: tuple[str, int], account: Account, home: Path, timeout_s: float, pinned: str = ""
) -> Iterator[paramiko.Transport]:
    """Log in over *stream*, a connection to *place* (host, port), and give that; in the end it is closed.

    The host key must have the fingerprint *pinned*, or else be the one that the agent's *home* knows, if it knows one.

    :raises LoginRefused: if *account* may not log in.
    :raises TaskFailed: if the connection fails, or its host key is another one.
    """
    host, port = place
    try:
        _require_library()
        import paramiko

        try:
            with paramiko.Transport(stream) as transport:
                transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = timeout_s
                _shake_hands(transport, home / host_keys.FILE, host_keys.name_of(host, port), pinned, timeout_s)
                _log_in(transport, account, host)
                yield transport
        except (paramiko.SSHException, EOFError) as error:
            raise TaskFailed(f"{host}: {error or 'the connection has ended'}") from None
    finally:
        stream.close()


def _require_library() -> None:
    try:
        import paramiko  # noqa: F401 - to see whether it is there
    except ImportError:
        raise TaskFailed(NOT_INSTALLED) from None


def execute(
    transport: paramiko.Transport, command: str, send: bytes, silence_s: float | None, *, ends_input: bool = True
) -> Iterator[bytes | int]:
    """Run *command*, which gets *send* as its input; give what it writes, and in the end its exit code.

    That is -1 if the other side does not say. Standard error comes in between. With *silence_s* None it may be silent
    for as long as the connection lives. Unless it *ends_input* the end of its input tells the command that nobody waits
    for it any more, however that has come about.

    :raises TaskFailed: if nothing comes for *silence_s*, or the connection ends before the answer.
    """
    channel = transport.open_session()
    try:
        channel.settimeout(silence_s)
        transport.set_keepalive(_ALIVE_S if silence_s is None else 0)
        channel.set_combine_stderr(True)
        channel.exec_command(command)
        if send:
            channel.sendall(send)
        if ends_input:
            channel.shutdown_write()
        while data := channel.recv(_CHUNK):
            yield data
        if not channel.status_event.wait(silence_s):
            raise TimeoutError
        code = channel.recv_exit_status()
        if code < 0 and not channel.eof_received and _has_ended(transport):
            raise TaskFailed("the connection has ended before the answer did")
        yield code
    except TimeoutError:
        raise TaskFailed(f"nothing came for {silence_s:g} s") from None
    finally:
        channel.close()


def _has_ended(transport: paramiko.Transport) -> bool:
    # A channel ends with its connection just as if it had been closed: only the connection's own end tells.
    transport.join(_END_S)
    return not transport.is_active()


def _shake_hands(transport: paramiko.Transport, file: Path, name: str, pinned: str, timeout_s: float) -> None:
    before = {} if pinned else host_keys.known(file, name)
    if before:  # the same kind of key as before, if the computer has several
        options = transport.get_security_options()
        kinds = {kind: None for key in before for kind in options.key_types if _kind(kind) == _kind(key)}
        options.key_types = [*kinds, *(kind for kind in options.key_types if kind not in kinds)]
    transport.start_client(timeout=timeout_s)
    key = transport.get_remote_server_key()
    if not pinned:
        host_keys.check(file, name, key)
    elif host_keys.fingerprint(key) != pinned:
        raise TaskFailed(f"the host key of {name} is {host_keys.fingerprint(key)}, not {pinned}")


def _kind(key_type: str) -> str:
    """Return what kind of key *key_type* is: RSA keys sign in several ways."""
    return "ssh-rsa" if key_type.startswith("rsa-sha2") else key_type


def _log_in(transport: paramiko.Transport, account: Account, host: str) -> None:
    """Log in with the key, else or also with the password.

    :raises LoginRefused: if that is not enough.
    """
    import paramiko

    ways: dict[str, Callable[[], object]] = {}
    if account.private_key:
        ways["key"] = partial(transport.auth_publickey, account.user, _key(account))
    if account.password:
        ways["password"] = partial(transport.auth_password, account.user, account.password)
    wanted, tried = "", []
    for way, attempt in ways.items():
        if not transport.is_active():  # there are servers that hang up
            break
        tried.append(way)
        try:
            attempt()
        except paramiko.BadAuthenticationType as error:
            wanted = f": it takes {', '.join(error.allowed_types)}"
        except paramiko.AuthenticationException:
            wanted = ""
        if transport.is_authenticated():
            return
    by = f" by {' and '.join(tried)}{wanted}" if tried else ": there is neither a password nor a key"
    raise LoginRefused(f"{host} refused {account.user}{by}")


def _key(account: Account) -> paramiko.PKey:
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(account.private_key.strip() + "\n"), account.passphrase or None)
        except paramiko.PasswordRequiredException:
            raise TaskFailed("the private key needs its passphrase") from None
        except (paramiko.SSHException, ValueError, IndexError):
            continue  # another kind of key
    raise TaskFailed("the private key cannot be read: it is none of Ed25519, ECDSA and RSA, or its passphrase is wrong")


def _account(settings: SshSettings, tools: Tools) -> Account:
    """Return as whom to log in.

    :raises TaskFailed: if nobody is given.
    """
    if settings.credentials is None:
        if tools.account is None:
            raise TaskFailed("no credential set is assigned to the computer, its team or the job")
        return tools.account
    user = tools.fill(settings.credentials)
    (reference,) = references.find(settings.credentials)
    password = tools.values.get(reference.variable + _PASSWORD)
    if password is None:
        raise InvalidValue("credentials", f"{reference} is no credentials parameter")
    return Account(user, password)
