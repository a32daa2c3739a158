"""Values that stand behind a word which names a secret: `password=X`, `"apiKey": "X"`, `the password is X`."""

import re
from collections.abc import Callable, Iterable, Iterator

from inspector.stream.lazy_pattern import lazy

from . import nested, phrases
from .chosen import could_be_chosen, looks_chosen
from .found import QUOTED, Span, ends, group, group_of, holds_any, is_none, one_of, unless_told
from .known import NAMES, known
from .naming import is_neutral
from .unknown import is_known

_Judge = Callable[[str], bool]

_PLAIN = r"([^\s\"'`,;&<>{}()\[\]|][^\s\"'`,;&<>|\]})]{0,1023})"
_SIGN = (
    r"(?:=>|:=|={1,3}|!={1,2}(?=\s?[\"'])|-{1,2}>|::(?=\s)|[:：は是为為→은는]|\b(?:is|was|ist|est|es|are|è|é|lautet|jest|är)\b\s{0,3}(?:now\b\s?)?:?"
    r"|\bto(?=\s[\"'])|[\"']?(?:\s[\w-]{1,20}=[\"'][^\"'<>]{0,64}[\"']){0,4}\svalue\s?=|,\s?\\?[\"']?value\\?[\"']?\s?:|>(?:<!\[CDATA\[)?(?=[^\s<])"
    r"|\s[\w:.-]{1,40}=[^<>\n]{0,200}>(?:<!\[CDATA\[)?(?=[^\s<])"  # an element with attributes
    r"|(?:\\r\\n|\r?\n){2}|\\{1,2}[=:]|</\w{1,20}>\s{0,9}(?:<\w{1,20}>){1,2}(?=[^\s<])"
    r"|[|│](?=[^|│\n]{1,200}[|│]))"  # a table
)
_TO = (
    rf"[\w.-]{{0,40}}(?:\[[^\]\s\"']{{1,32}}\])?(?:\\{{0,7}}[\"'\])]){{0,2}}(?:\s\([^()\n]{{1,40}}\))?\s{{0,9}}{_SIGN}\s{{0,9}}"
    r"(?:\w{1,20}\((?=[\"'])|(?:\(\*?\w{1,20}\)\s?)?\w{0,20}\((?:len=)?\d{1,6}\)\s?(?=[\"'])|\[\s?(?=[\"'])"
    r"|\(\*?\w{1,20}\)\s?\(0x[0-9a-f]{1,16}:?\)?\s?(?=[\"'])|(?:!{1,2}[\w/.:]{1,40}|&\w{1,20})\s{1,3}"
    r"|[BNRUbnru]{1,2}(?=[\"'])|\"\"(?=\")|''(?='))?"
)
_ASSIGNED = lazy(rf"s?{_TO}(?:\[\[([^\]]{{1,1024}})\]\]|{QUOTED}|{_PLAIN})", re.IGNORECASE)
_ANNOTATED = lazy(rf"[\w.-]{{0,40}}\s?:\s?&?(?:'\w{{1,16}}\s)?[A-Za-z_][\w.<>\[\]|?]{{0,40}}\s?=\s?(?:{QUOTED})")
"""`secret: &str = "X"`: a variable with its type."""
_PAIRED = lazy(rf"[\"']?,\s?(?:<<)?(?:{QUOTED})(?:>>)?\s?[)}}]")
"""The second of two: `{password,"X"}`, `('password', 'X')`."""
_MADE = lazy(rf"\w{{0,20}}\(\s?(?:{QUOTED})")
"""`SecretStr('X')`: a thing that is called by the word."""
_MADE_OF_BARE = lazy(r"\w{0,20}\(([^\s\"'(),=]{6,256})\)")
_WITH_DIGIT = r"[^\s\"'`,;:<>(){}\[\]]*\d[^\s\"'`,;<>)}\]]*"
_BEHIND = lazy(
    rf"[\w-]{{0,20}}(?:\s{{1,3}}|\.{{3,80}}\s?)(?:(?:is|was|of|will be|changed|set|from|to|wurde|auf|zu)\s){{0,2}}"
    rf"(?:{QUOTED}|({_WITH_DIGIT})|"
    r"([A-Za-z]{8,256})(?![\w(.]))"
)
"""A quoted text, a word with a digit or one of odd capitals directly behind: `passphrase 'X'`, `api key X1`."""
_IN_PARENTHESES = lazy(r"\s?\((?:\w{1,32}:\s?)?([^\s()]{4,256})\)")
"""`password (X)`, `password(default:X)`."""
_TOKEN_BEHIND = lazy(r"[\w-]{0,20} ([A-Za-z][\w.-]{7,512})")
OF_OBJECT = lazy(
    r"[\"'`] (?:in namespace|does not(?! match)|(?:was |is )?(?:not |already )?"
    r"(?:found|exist|created|deleted|missing|unchanged|configured))"
)
"""`secret "regcred" not found`: the name of one."""
_FURTHER_BEHIND = lazy(r"[\w-]{0,20}(?: [\w'@.=,()-]{1,64}){1,8}(?:: ?| = )[\"']?([^\s\"',;]{6,256})")
"""`password too short: X`, `secret of bob: X`."""
_COMPARED = lazy(r"[\"']([^\"'\s]{4,80})[\"']\s?(?:[=!]==?|is|is not|in|not in)\s?[\w.]{0,40}$")
"""What a word that names a secret is compared with."""
_MIXED_OR_LONG = lazy(r"(?=\S{0,8191}\d)(?=\S{0,8191}[A-Za-z])\S{8,}|[A-Za-z0-9+/_-]{16,}={0,2}\Z")
_ADDRESS = lazy(r"0[xX][0-9a-fA-F]{1,16}[\])}.]?")
"""A number of 64 bits: `cache key: 0x1f2e3d4c`."""
_DOTTED = lazy(r"[a-z_][a-z_0-9]*(?:\.[a-z_0-9]+){2,}")
"""A name in a module or a model: `model.layers.0.q_proj`."""
_OF_PIECES = lazy(
    r"[a-z]{2,12}(?:_[a-z0-9]{1,12}){3,16}|[a-z]{2,12}(?:[-.][a-z0-9]{1,12}){2,16}|(?:ssh|ecdsa)-[\w-]{3,24}"
)
"""A kernel (`attn_fwd_sm90_bf16_hdim128`), a model, a kind of public keys."""
_SIZES = lazy(r"\d{1,6}(?:x\d{1,6}){1,6}")
_CALL = lazy(r"[A-Za-z_][\w.]{0,60}\(")
"""`key_states.shape = torch.Size([1`: code."""
_ASKS = lazy(
    r"(?:get|env|read|load|prompt|fetch|look_?up|pop|find|param|ask|require|arg)\w{0,16}\([\"']$", re.IGNORECASE
)
_NAME_OF_ONE = lazy(r"(?i:[a-z_.-]{0,40}(?:pass|secret|token|key|cred|auth|pw)[a-z_.-]{0,40})")
"""A program asks for the secret of that name: `os.environ.get("DB_PASSWORD")`."""
_OF_FILE = lazy(r"s?[-_.]?(?:file|path|dir|folder)s?\b", re.IGNORECASE)
_NAME_ON = lazy(r"[\w.-]{1,40}")
_LONGEST = 1024
"""Characters of a value that are looked at to judge it; what goes on is hidden with it."""
_IN_BRACKETS = lazy(r"(?:[)\]}|(\[{]{1,3}[A-Za-z0-9][^\s\"'`,;&<>|\]})]{0,255}){0,8}")
"""A value goes on behind a bracket that a letter follows: `password=ab]cd`."""
_REST = lazy(r"[^\s\"'`,;&<>|]*")


def spans(text: str, small: str, named: bool, abroad: bool) -> Iterator[Span]:
    """Where secrets lie in a text; `small` is the same in lower case, `named` whether one of `NAMES` is in it, `abroad`
    whether a name of another language may be."""
    opens = "{" in text or "[" in text or "(" in text
    yield from _behind_strong(text, small, named, abroad, opens)
    for word, judge in _WEAK.items() if named else _WEAK_OTHERS.items():
        if word in small:  # most lines have none: to ask costs less than to begin to look
            yield from _each(text, small, word, judge, whole=True)
            if opens:
                yield from _below(text, ends(small, word), looks_chosen)


def _behind_strong(text: str, small: str, named: bool, abroad: bool, opens: bool) -> Iterator[Span]:
    for part, words in _strong_in(text, small, named, abroad):
        if part in small:
            for word in words:
                if word not in small:
                    continue
                judge = _JUDGES.get(word, _any)
                yield from _each(text, small, word, judge)
                for end in ends(small, word):
                    if not word.isascii():
                        yield from phrases.told_elsewhere(text, end)
                    yield from _directly_behind(text, end)
                    yield from _enclosed(text, end - len(word), end)
                if opens:
                    yield from _below(text, ends(small, word), judge)


def _strong_in(text: str, small: str, named: bool, abroad: bool) -> Iterable[tuple[str, list[str]]]:
    """Those of the strong words that may stand in a text."""
    if not text.isascii():
        return known().strong_anywhere
    plain = known().strong if named else known().strong_others
    if (_ANY_STRONG if named else _ANY_OTHER)().search(small) is None:
        plain = ()
    return (*plain, *known().strong_of_languages) if abroad else plain


_ANY_STRONG = one_of(part for part, _ in known().strong)
_ANY_OTHER = one_of(part for part, _ in known().strong_others)


def _below(text: str, ends: Iterator[int], judge: _Judge) -> Iterator[Span]:
    """All values of a container that a word names."""
    done = 0
    for end in ends:
        if end >= done and (within := nested.inside(text, end)) is not None:
            done = within[1]
            called = _OF_CALL().match(text, end) is not None
            for found in nested.values(text, within, judge):
                if called and (text[found[0] - 1] not in "\"'" or _is_asked_for(text, found)):
                    continue  # names of a program's own variables
                if not is_none(text, found) and text[found[0] - 1 : found[1] + 1] != "(hidden)":
                    yield found


def _each(text: str, small: str, word: str, judge: _Judge, whole: bool = False) -> Iterator[Span]:
    """What is assigned to each standing of a word, or (`whole`) where it is no mere end of another word."""
    done = 0
    for end in ends(small, word):
        begin = end - len(word)
        if (whole or word[0] in "_-.") and _goes_on(text, end):
            continue
        if begin >= done:
            glued = whole and begin > 0 and text[begin].islower() and text[begin - 1].islower()
            if glued and word == "clave":
                continue  # an enclave
            if whole and word == "pass" and text.endswith(_STEPS, max(0, begin - 9), begin):
                continue
            for first, last in _assigned(text, end, _of_glued(text, begin, end) if glued else judge):
                done = _REST().match(text, last).end() if last - first >= _LONGEST else last  # type: ignore[union-attr]
                yield first, done


def _of_glued(text: str, begin: int, end: int) -> _Judge:
    """`dbpass=X`, `hftoken=X`; but `bypass`, `renderpass` and `monkey` are words of their own."""
    if text[begin:end] not in ("pass", "pw") or text.endswith(_NO_PASSES, max(0, begin - 8), begin):
        return looks_chosen
    return could_be_chosen


def _goes_on(text: str, end: int) -> bool:
    """Whether a word is the beginning of another one: `authority`, `keyboard`, `passing`."""
    capitals = text[end - 1].isupper()
    end += text[end : end + 1] in ("s", "S")
    following = text[end : end + 1]
    return following.islower() or (capitals and following.isupper())


def _assigned(text: str, end: int, judge: _Judge) -> Iterator[Span]:
    """What is assigned to a word that ends there, if it can be a secret."""
    annotated = _ANNOTATED().match(text, end) if '= "' in text or "= '" in text else None
    match = annotated or _ASSIGNED().match(text, end)
    if match is None:
        return
    found = group(match)
    if _is_code(text, end, found):
        return
    if _names_a_file(text, end, found[0]) or _is_neutral(text, end, found):
        return
    if not judge(text[slice(*found)]) or text.startswith(_NO_VALUES, found[0]):
        return
    whole = found
    if judge is _any and match.lastindex == _ASSIGNED().groups:
        found = found[0], _IN_BRACKETS().match(text, found[1]).end()  # type: ignore[union-attr]
        whole = phrases.whole(text, found)
    if whole == found and any(word in text[end : found[0]].lower() for word in (" is", " was", " es", " are")):
        yield from unless_told(text, found)
    elif not is_none(text, found):
        yield whole


def _is_code(text: str, end: int, found: Span) -> bool:
    """`passwd = ask(...)`, `self.secret = secret`: a line of a program, as tracebacks quote it."""
    value = text[slice(*found)]
    if _is_asked_for(text, found):
        return True
    if text[found[1] : found[1] + 1] in (",", ")") and text.endswith(f"{value}=", 0, found[0]) and "(" in text[:end]:
        return True  # `connect(user=user, password=password)`
    if (goes_on := _NAME_ON().match(text, end)) is not None:
        end = goes_on.end()
    if text[end : end + 3] != " = " or found[0] != end + 3:
        return False
    name, bracket, _ = text[found[0] : found[1] + 1].partition("(")
    called = bracket == "(" and name.replace(".", "").isidentifier()
    return called or text.endswith(value, 0, end)


def _is_asked_for(text: str, found: Span) -> bool:
    """Whether a value is the name by which a program asks for a secret."""
    asked = _ASKS().search(text, max(0, found[0] - _LONGEST_NAME), found[0])
    return asked is not None and _NAME_OF_ONE().fullmatch(text, *found) is not None


def _is_neutral(text: str, end: int, found: Span) -> bool:
    """`secret_name: X`, unless X looks like a password: asked only where a name goes on behind the word."""
    if text[end : end + 1] not in ("_", "-", ".") and not text[end : end + 1].isupper():
        return False
    name = _NAME_ON().match(text, end)
    return name is not None and is_neutral("x" + name[0]) and not looks_chosen(text[slice(*found)])


def _names_a_file(text: str, end: int, begin: int) -> bool:
    """`--password-file=/run/x` and `/etc/passwd: Permission denied` tell of files."""
    if text[begin : begin + 1] == "/" and _OF_FILE().match(text, end):
        return True
    word = end - 1
    while word > 0 and (text[word - 1].isalnum() or text[word - 1] in "_-."):
        word -= 1
    return text[word - 1 : word] == "/" and text[end : end + 2] == ": "


def _no_path(value: str) -> bool:
    """`pwd=/home/me` is a folder."""
    return not value.startswith(("/", "~"))


def _any(value: str) -> bool:
    return True


def _mixed_or_long(value: str) -> bool:
    return (
        _MIXED_OR_LONG().match(value) is not None
        and _ADDRESS().fullmatch(value) is None
        and _CALL().match(value) is None
        and _SIZES().fullmatch(value) is None
        and (_OF_PIECES().fullmatch(value) is None or looks_chosen(value))
        and (_DOTTED().fullmatch(value) is None or looks_chosen(value))
    )


def _of_token(value: str) -> bool:
    return _mixed_or_long(value) or (
        value.isalnum() and could_be_chosen(value) and not value.lower().startswith("token")
    )


def _no_result(value: str) -> bool:
    return len(value) > 3 and value.lower() not in known().results


def _no_word(value: str) -> bool:
    return not is_known(value)


_WEAK: dict[str, _Judge] = {
    "key": _mixed_or_long, "token": _of_token, "auth": _mixed_or_long, "sig": _mixed_or_long,
    "signature": _mixed_or_long, "jwt": _mixed_or_long, "pass": _no_result, "pw": _no_result,
    "jeton": _of_token, "clave": _no_result, "cred": _no_word,
}  # fmt: skip
"""Everyday words in the logs of language models (`EOG token = 128001`): only what could be a secret behind them is."""
_WEAK_OTHERS = {word: judge for word, judge in _WEAK.items() if not holds_any(word, NAMES)}


_NO_VALUES = ("$(", "The ", "An ", "A ", "This ", "Your ", "Whether ", "Optional ")
"""A command's output, and what begins a sentence: `:param password: The password of the user`."""
_OF_CALL = lazy(r"\w{0,40} = [A-Za-z_][\w.]{0,60}\(")
_LETTERS_BEHIND = 6
"""The group of `_BEHIND` that holds letters alone."""
_STEPS = ("render ", "compute ", "backward ", "forward ", "optimizer ")
"""Passes that are steps."""
_JUDGES: dict[str, _Judge] = {"pwd": _no_path, "session_id": _mixed_or_long, "sessionid": _mixed_or_long}
"""Strong words that name something harmless as well."""
_LONGEST_NAME = 64
_NEAR = 120
"""Characters before a word in which it may be compared with something."""
_NO_PASSES = ("by", "com", "tres", "sub", "render", "multi", "sur", "over", "under", "compute", "depth")


def _directly_behind(text: str, end: int) -> Iterator[Span]:
    match = _BEHIND().match(text, end)
    if match is not None and (match.lastindex != _LETTERS_BEHIND or could_be_chosen(match[_LETTERS_BEHIND])):
        for found in group_of(match):
            if not is_none(text, found) and OF_OBJECT().match(text, found[1]) is None:
                yield found
    match = _IN_PARENTHESES().match(text, end)
    if match is not None and could_be_chosen(match[1]):
        yield match.span(1)
    match = _TOKEN_BEHIND().match(text, end)
    if match is not None and match[1].startswith(known().prefixes):
        yield match.span(1)
    match = _FURTHER_BEHIND().match(text, end)
    if match is not None and could_be_chosen(match[1]) and _last_word(text, match.start(1)) not in known().heads:
        yield match.span(1)


def _last_word(text: str, end: int) -> str:
    """The word before a colon."""
    return text[max(0, end - _LONGEST_NAME) : end].rstrip(" :'\"").rpartition(" ")[2].lower()


def _enclosed(text: str, begin: int, end: int) -> Iterator[Span]:
    """The second of a pair whose first is the word, and what a thing of that name is made of."""
    compared = _COMPARED().search(text[max(0, begin - _NEAR) : begin])
    if compared is not None:
        yield max(0, begin - _NEAR) + compared.start(1), max(0, begin - _NEAR) + compared.end(1)
    while begin > 0 and end - begin < _LONGEST_NAME and (text[begin - 1].isalnum() or text[begin - 1] in "_.-"):
        begin -= 1  # the word may be the end of a name: `define('DB_PASSWORD', 'X')`
    before = text[max(0, begin - 2) : begin]
    if before[-1:] in ("(", "{") or before in ("('", '("', "{'", '{"'):
        yield from group_of(_PAIRED().match(text, end))
    if text[begin].isupper() and not before[-1:].isalnum():
        yield from group_of(_MADE().match(text, end))
        if (bare := _MADE_OF_BARE().match(text, end)) is not None and could_be_chosen(bare[1]):
            yield bare.span(1)
