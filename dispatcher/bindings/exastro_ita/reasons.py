"""Reasons: what other layers say in English of what they refuse, in Japanese; the vendor has no words for these."""

from __future__ import annotations

import re

from dispatcher.services.exastro_ita.messages import Message

#: What is said, and the same in Japanese with what its groups have found.
_JAPANESE = tuple(
    (re.compile(english, re.DOTALL), japanese)
    for english, japanese in (
        (r"no path (.*)", r"パス: \1"),
        (r"no job (.*)", r"作業: \1"),
        (r"the message is larger than (\d+) bytes", r"メッセージの上限: \1byte"),
        (r"messages with records have (\d+) bytes at most", r"メッセージの上限: \1byte"),
        (r"the JSON exceeds the quota: depth, at most (\d+)", r"JSONの階層の上限: \1"),
        (r"the JSON exceeds the quota: objects and arrays, at most (\d+)", r"JSONのオブジェクトと配列の数の上限: \1"),
        (r"the JSON exceeds the quota: characters of one string, at most (\d+)", r"JSONの文字列の文字数の上限: \1"),
        (r"the JSON exceeds the quota: digits of an integer, at most (\d+)", r"JSONの整数の桁数の上限: \1"),
        (r"a form has (\d+) parts and (\d+) bytes in its fields at most", r"フォームの上限: \1項目、\2byte"),
        (
            r"the files have more than (\d+) bytes: ask with file=no, or for fewer records",
            r"ファイルの合計が\1byteを超えています。file=noを指定するか、対象のレコードを絞り込んでください",
        ),
        (r"the idempotency key .* request before", r"Idempotency-Keyは別のリクエストで使用済みです"),
        (r"the message was not received in time", r"受信の制限時間を超えました"),
    )
)


def reason(english: str) -> Message:
    """Return what tells *english*, or the same in Japanese; in English to everybody if it is none of those above."""
    for pattern, japanese in _JAPANESE:
        if match := pattern.fullmatch(english):
            return Message("reason", (english, match.expand(japanese)))
    return Message("reason", (english, english))
