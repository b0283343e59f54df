"""What a client uploads is what an agent downloads, from the next job on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from real_server import Server, dispatcher  # isort: skip

MODULE = "00000000-0000-4000-8000-000000000001"
LIBRARY = f"""
modules:
  - name: Fetch
    id: {MODULE}
    tasks: [{{name: fetch, type: download, settings: {{resource: Tools/installer.bin, target: %s}}}}]
"""
COMPLETED = 4
SIZE = 5_000_000


def post(server: Server, operation: str, body: Any = b"", **headers: str) -> requests.Response:
    url = f"{server.url}/Dispatcher/ResourceService/{operation}"
    return requests.post(url, data=body, headers={"Accept": "application/json", **headers}, timeout=60)


def pieces(data: bytes) -> Iterator[bytes]:
    """Give *data* without saying how much it is: in chunks."""
    for place in range(0, len(data), 100_000):
        yield data[place : place + 100_000]


def test_agent_downloads_what_was_uploaded(start_server: Callable[..., Any], tmp_path: Path) -> None:
    server, installed = start_server(), tmp_path / "installed"
    (tmp_path / "library.yaml").write_text(LIBRARY % installed)
    agents = server.wait_for_agents(1)
    versions = [random.Random(seed).randbytes(SIZE) for seed in range(2)]

    uploaded = post(server, "UploadResource", pieces(versions[0]), Filename="C:\\out\\installer.bin", Folder="Tools")
    assert uploaded.status_code == 200, uploaded.text
    dispatcher("library", "import", str(tmp_path / "library.yaml"), datastore=server.datastore)
    assert server.wait_for_end(server.schedule(MODULE, agents)) == COMPLETED
    assert installed.read_bytes() == versions[0]

    edited = post(server, "UploadResource", versions[1], ResourceID=uploaded.json(), Filename="installer.bin")
    assert edited.json() == uploaded.json()
    assert server.wait_for_end(server.schedule(MODULE, agents)) == COMPLETED
    assert installed.read_bytes() == versions[1]

    assert post(server, "DeleteResource", ResourceID=uploaded.json()).status_code == 409
    exported = "\n".join(dispatcher("library", "export", datastore=server.datastore))
    assert f"- name: installer.bin\n    id: {uploaded.json().strip('{}').lower()}\n    folder: Tools" in exported
    assert f"size: {SIZE}" in exported
    spare = post(server, "UploadResource", b"spare", Filename="spare").json()
    assert post(server, "DeleteResource", ID=spare).json() is True


def test_every_page_of_the_service_is_there(start_server: Callable[..., Any]) -> None:
    server = start_server("--no-local-agent", DISPATCHER_LIMITS__MAX_UPLOAD_BYTES="2000")
    base = f"{server.url}/Dispatcher/ResourceService"
    assert "service operations at this endpoint" in requests.get(f"{base}/help", timeout=20).text
    assert base in requests.get(f"{base}/help/operations/UploadResource", timeout=20).text
    assert requests.head(f"{base}/help", timeout=20).status_code == 200
    assert "ResourceService" in requests.get(server.url, timeout=20).text
    too_large = post(server, "UploadResource", b"x" * 2001, Filename="x")
    assert (too_large.status_code, "Request Error" in too_large.text) == (413, True)
