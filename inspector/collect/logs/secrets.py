"""Secrets in log lines: what is plainly one never leaves the collector; all else of a line stays as it was written.

Words such as `token` and `key` are everyday in the logs of language models (`EOG token = 128001`): after them only what
looks like a secret is hidden, after `password` and its kin everything. Thousands of lines a second come by here: words
are found by plain search, and a pattern is tried only where one stands.
"""

import re

HIDDEN = "(hidden)"
_TO = r"[\"']?\s{0,9}[=:]\s{0,9}[\"']?"
_VALUE = r"[^\s\"'&;,)\]}]"
_STRONG = re.compile(rf"s?{_TO}(?!\(|(?:true|false|null|none)\b)({_VALUE}{{3,}})", re.IGNORECASE)
_WEAK = re.compile(rf"{_TO}(?={_VALUE}{{0,64}}\d)(?={_VALUE}{{0,64}}[A-Za-z])({_VALUE}{{8,}})")
_SCHEME = re.compile(r"\s{1,9}([\w.~+/=-]{8,})")
_IN_URL = re.compile(r"([^/\s@]{1,512})@")
_AFTER = {
    **dict.fromkeys(
        (
            "password", "passwd", "passphrase", "secret", "credential", "authorization", "cookie",
            "apikey", "api_key", "api-key", "access_key", "access-key", "secret_key", "secret-key",
            "access_token", "auth_token", "refresh_token", "session_token",
        ),
        _STRONG,
    ),
    **dict.fromkeys(("key", "token", "pass", "auth"), _WEAK),
    **dict.fromkeys(("bearer", "basic"), _SCHEME),
    "://": _IN_URL,
}  # fmt: skip
"""Word, in small letters -> what stands behind it when its group is a secret."""
_KNOWN = re.compile(r"(?<!\w)([\w-]{2,11}[\w.~+/=-]{8,})")
_BEGINNINGS = (
    "sk-",
    "hf_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "akia",
    "eyj",
)
"""Of keys that tell what they are: OpenAI, Hugging Face, GitHub, GitLab, Slack, AWS, any JSON web token."""
_SMALL = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}


def without_secrets(line: str) -> str:
    """A line as it may be shown: values that are plainly secret replaced."""
    small = line.lower() if line.isascii() else line.translate(_SMALL)
    spans = [
        span for word, after in _AFTER.items() if word in small for span in _spans(line, small, word, after, len(word))
    ]
    spans += [span for word in _BEGINNINGS if word in small for span in _spans(line, small, word, _KNOWN, 0)]
    shown, end = "", 0
    for begin, stop in sorted(spans):
        if begin >= end:
            shown += line[end:begin] + HIDDEN
        end = max(end, stop)
    return shown + line[end:] if spans else line


def _spans(line: str, small: str, word: str, pattern: re.Pattern[str], skip: int) -> list[tuple[int, int]]:
    """Where the secrets lie that follow, or begin with, a word."""
    spans = []
    at = small.find(word)
    while at >= 0:
        match = pattern.match(line, at + skip)
        if match is not None:
            spans.append(match.span(1))
        at = small.find(word, match.end() if match is not None else at + 1)
    return spans
