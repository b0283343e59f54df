"""Member types: what the members of the messages between agents and the gateway may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

#: What printable ASCII is.
PLAIN = r"^[ -~]*$"
#: Text of others: not every database can hold a NUL.
Text = Annotated[str, AfterValidator(lambda text: text.replace("\0", "\N{REPLACEMENT CHARACTER}"))]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is out of range") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
#: What the datastore can hold of numbers.
Position = Annotated[int, Field(ge=0, lt=1 << 31)]
Offset = Annotated[int, Field(ge=0, lt=1 << 62)]
Count = Annotated[int, Field(ge=1, lt=1 << 31)]
#: A SHA-256, in hex.
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ExitCode = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
