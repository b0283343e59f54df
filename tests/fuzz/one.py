"""One target, fuzzed in this process: ``python -m fuzz.one <target> <seconds> <seed> <folder>``. See ``__main__``."""

from __future__ import annotations

import random
import re
import sys
from hashlib import sha256
from pathlib import Path

import atheris

#: What is guided by: the codecs, not what is behind them.
CODECS = ["dispatcher.core", "dispatcher.wire", "dispatcher.bindings", "dispatcher.agents.protocol", "werkzeug.http"]
CODECS += ["dispatcher.services.library.source", "dispatcher.services.security", "dispatcher.snmp"]

with atheris.instrument_imports(include=CODECS, enable_loader_override=False):
    from fuzz import oracle
    from fuzz.targets import TARGETS, Target

MOST_BYTES = 4_096
#: How much memory the whole process may have, in MiB.
MEMORY_MIB = 1_024
#: One of so many inputs is looked at closely: what it costs when a part of it is repeated.
ONE_OF = 200
#: How many of its first bytes.
MOST_GROWN = 2_048


def main() -> None:
    name, seconds, chance, folder = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    target = TARGETS[name]
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = folder / f"{name}.words"
    words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words))
    options = [
        f"-max_total_time={seconds}",
        f"-seed={chance}",
        f"-max_len={MOST_BYTES}",
        f"-rss_limit_mb={MEMORY_MIB}",
        "-timeout=30",
        "-len_control=10",
        "-print_final_stats=1",
        f"-dict={words}",
        f"-artifact_prefix={folder / 'crashes' / name}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], _checked(target))
    atheris.Fuzz()


def _checked(target: Target) -> oracle.Run:
    chosen = random.Random(1)

    def run(data: bytes) -> None:
        oracle.check_time(target.run, data)
        if data and chosen.randrange(ONE_OF) == 0:
            part = data[:MOST_GROWN]
            begin = chosen.randrange(len(part))
            oracle.check_growth(target.run, part, begin, begin + chosen.randint(1, 40))

    return run


def _quoted(word: str) -> str:
    """Return *word* as the fuzzer's dictionaries have it."""
    return re.sub(rb"[^ !#-\[\]-~]", lambda match: b"\\x%02x" % match[0][0], word.encode()).decode()


if __name__ == "__main__":
    main()
