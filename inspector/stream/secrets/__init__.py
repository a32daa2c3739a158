"""Secrets in texts of a target: one place decides for arguments, variables, addresses, log lines, paths and messages.

What is a secret never leaves the collector; all else of a text stays as it was written. No ready rule set is
taken: those that exist find secrets in source code, with few false alarms, while here the unknown ones matter most.
Values whose name nobody knows are denied by default (`denied`, `strangers`, `access`): what is shown of them is plain
(`plain`) or a setting (`settings`). Beside that there are five ways to know a secret, each made to err towards hiding:
where it stands (`assigned`, `nested`, `prose`, `phrases`, `codes`, `sql`, `headers`, `addresses`, `arguments`,
`options`, `logins`, `commands`, `naming`, `in_paths`; `blocks` for what a line tells of the next), that beside the name
of a password or somebody who logs in stands a word that messages do not have (`unknown`, `people`; `languages` for
sentences that are not English), which provider's form it has (`tokens`), that a person would choose it (`chosen`), and
that it looks drawn by lot (`opaque`, `drawn`). What a name in escapes, colours or look-alike letters names is
found as who decodes it reads it (`reading`).
Every step is linear in the length of the text: words are found by plain search, and each pattern is bounded.
"""

from .hiding import HIDDEN, hide, hide_lines, hide_names, shown_arguments, shown_value

__all__ = ["HIDDEN", "hide", "hide_lines", "hide_names", "shown_arguments", "shown_value"]
