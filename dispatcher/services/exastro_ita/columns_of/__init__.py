"""The columns of the menus that are always there: names, kinds and flags, in the order in which they are shown.

They are the wire facts of the vendor's tables (``ita_root/ita_migration/versions/*/WS_level/sql``, up to 2.7, of the
Apache-licensed source), with the seed's answers before them where both say something. One file a noun: each has the
columns, and a function that makes the menu of them and of the source of its records.
"""
