"""Device checks: what must hold of a device beyond what its columns say, each alone.

The source is the vendor's ``common_libs/validate/valid_20101.py`` with ``menu_required_check.py``. What stays as it was
is not looked at again: agents come from elsewhere, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.sent_values import told
from dispatcher.tasks.yaml_texts import yaml_problem

#: Ways to log in (contract section 3.9, and those that later versions have).
KEY, PASSWORD, KEY_EXCHANGED, KEY_WITH_PASSPHRASE, WINRM_PASSWORD, WINRM_CERTIFICATE = "123456"
#: Those that name the account that logs in.
_WITH_USER = (KEY, PASSWORD, KEY_EXCHANGED, KEY_WITH_PASSPHRASE, WINRM_PASSWORD)
#: What each of them needs: column, and what is said without it.
_NEEDED = {
    KEY: (("ssh_private_key_file", "MSG-10233"),),
    PASSWORD: (("login_password", "MSG-10232"),),
    KEY_WITH_PASSPHRASE: (("ssh_private_key_file", "MSG-10234"), ("passphrase", "MSG-10235")),
    WINRM_CERTIFICATE: (("winrm_private_key_file", "MSG-10942"), ("winrm_public_key_file", "MSG-10941")),
}
_LOGIN = ("authentication_method", "login_user", *(column for needs in _NEEDED.values() for column, _ in needs))
_OPTION = "inventory_file_additional_option"
#: What agents may be called in every dialect: something that can be seen from its first to its last character; and not
#: as groups of hosts are shown.
_NAME = re.compile(r"(?!\[HG\])[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?")
_MAX_DEPTH = 32


def faults_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Message]]:
    """Return what is wrong, by column, with a device that was *before* (nothing, if it is new) and is to be *after*."""
    changed = {name for name in after if after[name] != before.get(name)}
    faults: dict[str, list[Message]] = {}
    if found := _general_faults(changed, after):
        faults[NO_COLUMN] = found
    if "host_name" in changed and not _NAME.fullmatch(after["host_name"]):
        faults["host_name"] = [Message("MSG-00009", (_NAME.pattern, told(after["host_name"])))]
    return faults


def _general_faults(changed: AbstractSet[str], after: Mapping[str, Any]) -> list[Message]:
    found: list[Message] = []
    if not changed.isdisjoint(_LOGIN):
        found += _login_faults(after)
    # Ansible takes such a name for a part of an address.
    if "host_name" in changed and str(after["host_name"]).isdecimal():
        found.append(Message("MSG-10879"))
    if _OPTION in changed and (problem := yaml_problem(after[_OPTION] or "", _MAX_DEPTH)):
        found.append(Message("MSG-10887", (problem,)))
    return found


def _login_faults(values: Mapping[str, Any]) -> Iterator[Message]:
    method = values.get("authentication_method")
    needed = [message for column, message in _NEEDED.get(str(method), ()) if not values.get(column)]
    if method in _WITH_USER and not values.get("login_user") and not needed:
        needed = ["MSG-10239"]  # the vendor says this only where nothing else is missing
    return map(Message, needed)
