"""Forms that providers give to their tokens, as they document them; new ones are found by `opaque` as a rule."""

from inspector.stream.lazy_pattern import lazy

from .known import SHORTEST, known

FORMS = lazy(
    r"(?:"
    r"(?:bot)?\d{6,20}:[A-Za-z0-9_-]{30,}"  # Telegram, Asana
    r"|K10[0-9a-f]{8,}::[\w-]{1,64}:\w{8,}"  # k3s
    r"|access-(?:sandbox|development|production)-[0-9a-f-]{36}"  # Plaid
    r"|[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{30,}"  # Azure client secrets
    r"|[0-9a-f]{32}-us\d{1,2}"  # Mailchimp
    r"|(?:[0-9a-f]{32}:[0-9a-f]{32}|[0-9A-F]{32}:[0-9A-F]{32})(?![0-9A-Fa-f])"  # hashes of Windows
    r"|(?:SK|AC|PK)[0-9a-f]{32}"  # Twilio
    r"|[a-z0-9]{6}\.(?=[a-z]{0,15}\d)[a-z0-9]{16}"  # Kubernetes bootstrap
    r"|access_token\$\w{4,12}\$[\w$]{20,}"  # PayPal
    r"|amzn\.\w{2,6}\.[0-9a-f-]{36}"
    r"|SCW[0-9A-Z]{17}"
    r"|[A-Za-z0-9_-]{20,40}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{25,}"  # Discord
    r"|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{20,}"
    r"|(?=[A-Z0-9-]{0,48}[G-Z])(?=[A-Z-]{0,48}\d)"
    r"(?:(?:[A-Z0-9]{5}-){3,7}[A-Z0-9]{5}|(?:[A-Z0-9]{4}-){4,7}[A-Z0-9]{4}|(?:[A-Z0-9]{6}-){3,7}[A-Z0-9]{6})(?![\w-])"
    r"|(?:\d{6}-){7}\d{6}(?![\w-])"  # keys of licences, and by which disks are recovered
    r")"
)
"""Tokens that begin with nothing of their own; for the beginning of a word."""
LEAST_OF_FORMS = 20
"""Characters of the shortest of them."""
CRYPTED = lazy(r"\$(?:1|2[abxy]|5|6|7|y|gy|apr1|argon2\w{0,2}|scrypt|pbkdf2[\w-]{0,12})\$[^\s'\":;]{8,400}")
"""Passwords as crypt(5) keeps them."""
OF_DIRECTORY = lazy(r"\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2[\w-]{0,12}|ARGON2\w{0,2})\}[\w+/=$.,:-]{4,400}")
"""Passwords as LDAP keeps them."""

PRIVATE_KEY = lazy(r"-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY|SECRET)[A-Z0-9 ]{0,20}-----")
END_OF_KEY = lazy(r"-----END [A-Z0-9 ]{0,60}-----")


_BODY = lazy(r"[A-Za-z0-9_+/=~%-]*")
_LEAST_BODY = 8
_LEAST_LETTERS = 12


def is_token(word: str) -> bool:
    """Whether a word begins like a provider's token and goes on like one: `hf_hub_download` does not."""
    prefixes = known().prefixes
    if word[:SHORTEST] not in known().beginnings or not word.startswith(prefixes):
        return False
    rest = word[max(len(prefix) for prefix in prefixes if word.startswith(prefix)) :]
    body = _BODY().match(rest)[0]  # type: ignore[index]
    if any(character.isdigit() for character in body):
        return len(body) >= _LEAST_BODY
    return len(body) >= _LEAST_LETTERS and body.isalnum() and not body.islower()
