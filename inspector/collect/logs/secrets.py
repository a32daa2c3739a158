"""Secrets in log lines: what is plainly one never leaves the collector; all else of a line stays as it was written.

Words such as `token` and `key` are everyday in the logs of language models (`EOG token = 128001`): after them only what
looks like a secret is hidden, after `password` and its kin everything.
"""

import re

HIDDEN = "(hidden)"
_HINT = re.compile(
    r"key|token|pass|secret|auth|cookie|credential|bearer|basic|@|sk-|hf_|gh[pousr]_|pat[_-]|xox|AKIA|eyJ", re.I
)
"""Without one of these a line holds none of the below; most lines end here."""
_URL = re.compile(r"(://)[^/\s@]{1,512}@")
_SCHEME = re.compile(r"\b((?:bearer|basic)\s{1,9})[\w.~+/=-]{8,}", re.I)
_KNOWN = re.compile(
    r"\b(?:sk-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|eyJ)[\w.~+/=-]{8,}"  # OpenAI, Hugging Face, ... JWT
)
_TO = r"[\"']?\s{0,9}[=:]\s{0,9}[\"']?"
_STRONG = re.compile(
    r"((?:pass(?:word|wd|phrase)|secret|credentials?|api[-_]?key|(?:access|auth|refresh|session|secret)[-_](?:token|key)"
    rf"|authorization|cookie){_TO})(?!\(|(?:true|false|null|none)\b)[^\s\"'&;,)\]}}]{{3,}}",
    re.I,
)
_WEAK = re.compile(
    rf"((?:key|token|pass|auth){_TO})(?=[^\s\"'&;,]*\d)(?=[^\s\"'&;,]*[A-Za-z])[^\s\"'&;,)\]}}]{{8,}}", re.I
)


def without_secrets(line: str) -> str:
    """A line as it may be shown: values that are plainly secret replaced."""
    if _HINT.search(line) is None:
        return line
    line = _URL.sub(rf"\1{HIDDEN}@", line)
    line = _SCHEME.sub(rf"\1{HIDDEN}", line)
    line = _KNOWN.sub(HIDDEN, line)
    line = _STRONG.sub(rf"\1{HIDDEN}", line)
    return _WEAK.sub(rf"\1{HIDDEN}", line)
