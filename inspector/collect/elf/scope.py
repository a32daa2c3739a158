"""Which definition a reference binds to, which version nodes are missing (glibc 2.36 elf/dl-lookup.c, dl-version.c)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from inspector.stream.text import decode

from .library import Offer, Reference, Symbols
from .search import Loaded

_BASE_AND_FIRST: Final = 2
"""Version indices up to this one are taken by a reference without version: the base and the oldest node."""

ASSERTION: Final = (
    "Inconsistency detected by ld.so: dl-lookup.c: check_match: Assertion "
    "`version->filename == NULL || ! _dl_name_match_p (version->filename, map)' failed!"
)
"""What the loader prints, and ends the process with 127, when a name is found in a file without any version table
from which the reference expects a node."""


class Bound(msgspec.Struct, frozen=True):
    """The outcome of one look-up."""

    provider: Loaded | None
    aborts: bool = False
    """The loader ends the process instead of answering."""


def bind(reference: Reference, scope: Sequence[Loaded]) -> Bound:
    """Look a reference up in a scope, first wins; raises ElfError when a file of the scope cannot be read."""
    for place in scope:
        symbols = place.library.symbols
        offers = symbols.offers.get(reference.name)
        if not offers:
            continue
        if reference.node is not None and not symbols.has_versions:
            return Bound(place, aborts=place.answers_to(reference.node.file))
        if any(_fits(offer, reference) for offer in offers) or _only_default(offers, reference):
            return Bound(place)
    return Bound(None)


def _fits(offer: Offer, reference: Reference) -> bool:
    node = reference.node
    if node is None:
        return offer.index <= _BASE_AND_FIRST
    return offer.node == node.node or not (node.hidden or offer.node or offer.hidden)


def _only_default(offers: Sequence[Offer], reference: Reference) -> bool:
    """A reference without version takes the default of newer nodes when there is just one."""
    if reference.node is not None:
        return False
    return sum(offer.index > _BASE_AND_FIRST and not offer.hidden for offer in offers) == 1


class MissingNode(msgspec.Struct, frozen=True):
    """A version node that a provider was expected to define."""

    provider: Loaded
    node: bytes
    required_by: Loaded

    @property
    def words(self) -> str:
        """The loader's own words."""
        return f"{decode(self.provider.path)}: version `{decode(self.node)}' not found (required by {self._by})"

    @property
    def _by(self) -> str:
        return decode(self.required_by.path)


def missing_nodes(place: Loaded, objects: Sequence[Loaded]) -> list[MissingNode]:
    """Nodes that an object needs and that their file, one of `objects`, does not define.

    A file without any .gnu.version_d passes: the loader takes it for an older, unversioned build.
    """
    missing: list[MissingNode] = []
    for need in place.library.symbols.needed_nodes:
        provider = next((other for other in objects if other.answers_to(need.file)), None)
        if provider is None or need.weak:
            continue
        offered: Symbols = provider.library.symbols
        if offered.has_definitions and need.node not in offered.nodes:
            missing.append(MissingNode(provider, need.node, place))
    return missing
