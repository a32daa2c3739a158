"""Arguments of programs that nobody knows: what they are given is shown only where it is plainly no secret.

`--gate X`, `-w X`, `GATE=X`, `login bob X`: shown are settings (`settings`), and values that are plain (`plain`).
"""

from collections.abc import Iterator, Sequence

from inspector.stream.lazy_pattern import lazy

from .found import Span
from .known import known
from .plain import begin_of_secret, is_plain
from .settings import is_setting

_ASSIGNED = lazy(r"([-/+]{0,2}[A-Za-z_][\w.-]{0,64})=(.+)")
_OPTION = lazy(r"[-/+]{1,2}[A-Za-z][\w.-]{0,64}")
_LETTERS = frozenset("aAkKpPsStTUwWxX")
"""Options of one letter behind which programs take passwords; the others mostly name files, sizes and devices."""
_LETS_IN = frozenset((
    "login", "logon", "signin", "auth", "authenticate", "join", "pair", "enroll", "enrol", "unlock", "unseal", "claim",
    "activate", "redeem", "receive", "connect", "register", "link", "invite", "adopt", "key", "token", "word", "gate",
    "code", "ticket", "phrase", "set",
))  # fmt: skip
"""Commands that are told who comes in, where, and by what."""
_LOGS_IN = ("login", "logon", "signin", "unlock")
"""Those of them by which known programs are told as well."""
_WORDS_TOLD = 3
_MOST_WORDS = 6
"""A text of more words is a sentence."""
_WORD = lazy(r"'[^']*'|\"[^\"]*\"|[^\s'\";&|]+|[;&|\n]+")
_MADE_UP = lazy(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w.!#$%&*+~-]{6,64}")
_BETWEEN = lazy(r"[,;:]")
_NO_PROGRAM = lazy(r"-.*|[\w.]+=.*|[\d.]+[smhd]?")


class _Program:
    """Whose arguments the next ones are."""

    def __init__(self) -> None:
        self.is_known = False
        self.runs_another = True
        self.left = 0
        """Words behind a command that lets somebody in."""

    def hear(self, word: str, before: str) -> None:
        """A word that is no option, and the one before it."""
        name = word.rpartition("/")[2]
        if (
            self.runs_another
            and _NO_PROGRAM().fullmatch(word) is None
            and (before[:1] != "-" or before in ("-m", "-jar"))
        ):
            self.is_known = name in known().tools
            self.runs_another = name.rstrip("0123456789.") in known().wrappers
        else:
            self.left = max(0, self.left - 1)
            if word in (_LOGS_IN if self.is_known else _LETS_IN):
                self.left = _WORDS_TOLD


def parts(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each word that is or holds what is not plain, and where in it that begins."""
    program, before = _Program(), ""
    for index, word in enumerate(words):
        if (given := _ASSIGNED().fullmatch(word)) is not None:
            of_tool = word[0] in "-/+" and program.is_known
            if not of_tool and not is_setting(given[1]) and not _is_shown(given[2]):
                yield index, given.start(2) + begin_of_secret(given[2])
        elif _OPTION().fullmatch(word) is None:
            told_by = before if _OPTION().fullmatch(before) is not None else ""
            if index and _is_denied(program, told_by, word):
                yield index, begin_of_secret(word)
            program.hear(word, before)
        elif word[1] in _LETTERS and not program.is_known and _is_joined(word):
            yield index, 2
        before = word


def _is_denied(program: _Program, option: str, word: str) -> bool:
    if not option and program.left:
        return not _is_shown(word)
    if program.is_known or program.runs_another:
        return False
    if not option:
        return not _is_shown(word) and _MADE_UP().fullmatch(word) is not None
    if len(option.lstrip("-+/")) == 1 and " " in word:
        return False
    return may_take_secret(option) and not _is_shown(word)


def may_take_secret(option: str) -> bool:
    """Whether nothing in an option's name says that it takes none."""
    name = option.lstrip("-+/")
    return name in _LETTERS if len(name) == 1 else not is_setting(name)


def _is_joined(word: str) -> bool:
    """`-kX1`: a value joined to an option of one letter, no option of several."""
    return _MADE_UP().fullmatch(word, 2) is not None and not is_plain(word[1:]) and not is_plain(word[2:])


def _is_shown(value: str) -> bool:
    """A value that is plain, or holds what is judged by itself: a structure, an address, a sentence."""
    if is_plain(value) or value[0] in "{[(<" or value.count(" ") >= _MOST_WORDS:
        return True
    return "=" in value and all(map(_is_part_shown, _BETWEEN().split(value)))


def _is_part_shown(part: str) -> bool:
    """`select=1:gpu_model=a100`: settings within one."""
    name, _, value = part.rpartition("=")
    return is_plain(value) or (name != "" and is_setting(name))


def within(text: str) -> Iterator[Span]:
    """The same for a text that is a command line, or several."""
    places = [match.span() for match in _WORD().finditer(text)]
    words = [text[begin:end].strip("\"'") for begin, end in places]
    start = 0
    for stop in [*(index for index, word in enumerate(words) if word[:1] in (";", "&", "|", "\n")), len(words)]:
        given = words[start:stop]
        without = int(given[:1] != [] and given[0][:1] == "-")
        for index, begin in parts(["", *given] if without else given):
            at, end = places[start + index - without]
            quoted = text[at] in "\"'"
            yield at + quoted + begin, end - quoted
        start = stop + 1
