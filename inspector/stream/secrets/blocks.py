"""Secrets that stand on a line below the one which names them: YAML, pretty JSON, forms, prompts, wrapped commands."""

import re

from inspector.stream.lazy_pattern import lazy

from . import nested
from .chosen import could_be_chosen
from .found import Span, one_of
from .opaque import is_opaque
from .options import is_harmless

SECRET_KEY = lazy(
    r"(?:^|_|(?<=[a-z])(?<!COM)(?<!BY)(?<!TRES)(?<!SUR)(?<!MON)(?<!TUR)(?<!DON)(?<!RENDER))(?:API)?(?:KEYS?|TOKENS?|PASS|"
    r"PASSWORD|PASSWD|PASSPHRASE|PWD|PW|SECRETS?|AUTH(?!ORS?(?:_|$))\w*|COOKIES?|"
    r"CREDENTIALS?|CREDS?|PAT|DSN|SAS|JWT|PSK)(?:_|$|(?=\d))|PASSW|PASSPHRASE|SECRET|APIKEY|XAUTHORITY|TOKEN$|"
    r"CREDENTIAL|KENNWORT|MOT_?DE_?PASSE|CONTRASE|SENHA|GEHEIM|PAROLA|WACHTWOORD|(?:^|_)(?:SK|UNSEAL|WEBHOOK|CREDS?|"
    r"PASSC\w*|FERNET|CLAVE\w*|PIN|T?OTP|HOTP|[M2]FA|SEED|MNEMONIC|SALT|PEPPER|LICEN[CS]E(?:_KEY)?|AUTHTOK|COMMUNITY|"
    r"PASSE|PHRASE|(?:CRYPT|SECRET|MAGIC)_?WORD|PRIVKEY|JAAS|SERIAL_KEY|PRODUCT_KEY)(?:_|$)|(?:^|_)(?:ACCESS|LOGIN|PRIV|API|SIGNING|WALLET|UNLOCK|RECOVERY)$",
    re.IGNORECASE,
)
"""A variable, or a key on a line of its own, whose value is secret."""
_TEXT_BELOW = lazy(r"(\s*)(?:- )?([\w.-]{1,64}):\s?[|>][-+\d]{0,2}\s*$")
_NAME_BESIDE = lazy(
    r"\s*(?:- )?[\"']?(?:name|key|id)[\"']?:\s?[\"']?([\w.-]{1,64})[\"']?,?\s*$|\s*<key>([\w .-]{1,64})</key>\s*$",
    re.IGNORECASE,
)
_VALUE_BESIDE = lazy(
    r"(\s*[\"']?(?:value|val|data|secret)[\"']?:\s?[\"']?)([^\"',]+)|(\s*<(?:string|value|data)>)([^<]+)", re.IGNORECASE
)
_OPENS = lazy(
    r"(\s*)(?:[-*] )?<?[\"']?([\w.-]{1,64})[\"']?(?:\s?(?:=>|[:=])\s?[\w.&]{0,40}[{\[(]?|\s?[{\[(]|>)\s*\\?\s*$"
)
"""A line at whose end a container begins, or on which a key stands alone."""
_SECTION = lazy(r"\s*\[{1,2}([\w .-]{1,64})\]{1,2}\s*$")
_SETTING = lazy(r"\s*[\w.-]{1,64}\s*=\s*(\S.*)")
_ENDS_WITH_NAME = lazy(
    r"(?:password|passwd|passphrase|passcode|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|"
    r"kennwort|passwort|authorization|"
    r"(?:verification|recovery|one-time|login|security|access|backup) codes?)(?: for [^:]{1,64})?[\"']?"
    r"(?:\s?[:=?]>?\s*\\?|\s*\\|\s*\]:)\s*$|--?[\w-]{0,40}(?:password|passwd|token|secret|key)\s*\\?\s*$"
    r"|\b(?:password|passphrase)\b[^:\n]{1,60}:\s*$"
    r"|form-data;.{0,80}name=\"?[\w.-]{0,40}(?:pass|secret|token|key|auth|cred)[\w.-]{0,40}\"?\s*$",
    re.IGNORECASE,
)
_ONE_SCALAR = lazy(r"\s*(?:[-+>] )?[\"']?([^\s\"']{4,1024})[\"']?\s*[,}\])]{0,4}\s*\\?\s*$")
_TAIL = 90
"""Characters at the end of a line in which it names what is below."""
_OPENING = ":{[(=>|\\]\"'?,+-"
_PARTS = ("pass", "secret", "token", "key", "cred", "auth", "code", "kennwort", "pwd", "name:", "stringdata", "logins")
"""One of these is in each such end."""
_ANY_PART = one_of(_PARTS)
_NUMBER = lazy(r"[0-9a-f]{16,128}")
_CODE = lazy(r"\d{4,8}")
_CERTAIN = lazy(r"secret|credential|passw|stringdata|^auths$|^logins$|keyring|user-?pass|^api_?keys$", re.IGNORECASE)


class Blocks:
    """What the lines before tell of the next one."""

    def __init__(self) -> None:
        self._text_below = -1
        """Indentation of the key whose text is below; -1 for none."""
        self._values_below = -1
        """The same of a container whose name is secret."""
        self._in_element = False
        """An element whose name is secret has begun: `<auth-user-pass>`."""
        self._named = False
        """A name stood alone on a line, so its value may stand on the next."""
        self._asked = False
        """A line ended with the name of a secret."""
        self._in_section = False
        """A section of settings whose name is secret goes on."""

    def spans(self, line: str) -> list[Span]:
        """Where secrets lie in the next line because of those before it."""
        end = line.rstrip()
        if not end:
            return []
        found = self._told_before(line) if self._waits() else []
        if (end[-1] in _OPENING or end[-1].isalnum()) and _ANY_PART().search(end[-_TAIL:].lower()):
            self._hear(end)
        return found

    def _waits(self) -> bool:
        return (
            self._named
            or self._asked
            or self._in_section
            or self._text_below >= 0
            or self._values_below >= 0
            or self._in_element
        )

    def _told_before(self, line: str) -> list[Span]:
        indent = len(line) - len(line.lstrip())
        if self._text_below >= 0:
            if indent > self._text_below:
                return [(0, len(line))]
            self._text_below = -1
        self._in_element = self._in_element and not line.lstrip().startswith("<")
        if self._in_element:
            return [(indent, len(line.rstrip()))]
        named, self._named = self._named, False
        asked, self._asked = self._asked, False
        if self._values_below >= 0:
            if indent > self._values_below or line.lstrip().startswith("- "):
                return list(nested.values(line, (0, len(line)), _is_value))
            self._values_below = -1
        if self._in_section:
            setting = _SETTING().match(line)
            self._in_section = setting is not None
            return [setting.span(1)] if setting is not None and not is_harmless(setting[1]) else []
        if named and (match := _VALUE_BESIDE().match(line)) is not None:
            found = match.span(match.lastindex or 0)
            return [found] if not is_harmless(line[slice(*found)]) else []
        if asked and (match := _ONE_SCALAR().match(line)) is not None:
            return [match.span(1)] if _answers(match[1], quoted=line.strip()[0] in "\"'") else []
        return []

    def _hear(self, line: str) -> None:
        if line[-1].isalnum():
            self._asked = "-" in line[-_TAIL:] and _ENDS_WITH_NAME().search(line, max(0, len(line) - _TAIL)) is not None
            match = _NAME_BESIDE().match(line) if ":" in line else None
            self._named = match is not None and SECRET_KEY().search(match[match.lastindex or 0]) is not None
            return
        if (match := _TEXT_BELOW().match(line)) is not None and SECRET_KEY().search(match[2]):
            self._text_below = len(match[1])
        elif (match := _NAME_BESIDE().match(line)) is not None:
            self._named = SECRET_KEY().search(match[match.lastindex or 0]) is not None
        elif (match := _OPENS().match(line)) is not None and _CERTAIN().search(match[2]):
            self._values_below = len(match[1])
            self._in_element = line.lstrip()[0] == "<"
        elif (match := _SECTION().match(line)) is not None and _CERTAIN().search(match[1]):
            self._in_section = True
        self._asked = _ENDS_WITH_NAME().search(line, max(0, len(line) - _TAIL)) is not None


def _is_value(value: str) -> bool:
    return not is_harmless(value) and value not in ("-", "|", "(hidden)", "hidden")


def _answers(value: str, quoted: bool) -> bool:
    """Whether a line that is one value only is the secret that the line before asked for."""
    return (
        could_be_chosen(value)
        or _CODE().fullmatch(value) is not None
        or _NUMBER().fullmatch(value) is not None
        or is_opaque(value)
        or (quoted and not is_harmless(value))
    )
