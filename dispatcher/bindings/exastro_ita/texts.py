"""Texts: what is said to people, in the language of their login; the words are those of the vendor's message tables."""

from __future__ import annotations

from dispatcher.bindings.exastro_ita.message_texts import MESSAGES
from dispatcher.bindings.exastro_ita.result_texts import RESULTS
from dispatcher.services.exastro_ita.messages import Message

JAPANESE = "ja"
_TEXTS = {**MESSAGES, **RESULTS}
#: Seed section 3.4: the answers of apply have blanks where all others have none.
_IN_APPLY = {"MSG-00008": "文字長エラー (閾値 : 値<={}byte, 値 : {}byte)"}
#: What faults of no single column stand under.
NO_COLUMN = Message("MSG-00004")


def text(message: Message, language: str) -> str:
    """Return *message* in *language*: Japanese, or English for all others.

    Values are put in as Python's ``format`` does it, so that nothing is ``None``; messages in them are told, too.
    """
    japanese, english = _TEXTS[message.id]
    return _filled(japanese if language == JAPANESE else english, message, language)


def text_of_apply(message: Message, language: str, menu: str) -> str:
    """Return *message* as the answers of apply say it: with the name of the menu, and the spelling of the seed."""
    spelling = _IN_APPLY.get(message.id) if language == JAPANESE else None
    told = text(message, language) if spelling is None else _filled(spelling, message, language)
    return f"{told}, menu : {menu}"


def _filled(pattern: str, message: Message, language: str) -> str:
    values = [text(value, language) if isinstance(value, Message) else value for value in message.values]
    return pattern.format(*values) if values else pattern
