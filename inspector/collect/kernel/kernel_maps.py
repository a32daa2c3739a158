"""The maps that all kernel programs of one observation share, made before anything that uses them."""

import contextlib

from .call_maps import CallMaps
from .frames import frames_map
from .membership import Membership
from .stack_requests import StackMaps


class KernelMaps:
    """Who is observed, and what is known of calls under way; OSError when the kernel refuses maps."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as made:
            self.members = Membership()
            made.callback(self.members.close)
            self.open_calls, self.open_lookups = frames_map(), frames_map()
            made.callback(self.open_calls.close)
            made.callback(self.open_lookups.close)
            self.stacks = StackMaps()
            made.callback(self.stacks.close)
            self.calls = CallMaps(self.open_calls, self.stacks)
            made.callback(self.calls.close)
            self._stack = made.pop_all()

    def close(self) -> None:
        """Close the maps; programs that use them keep them alive."""
        self._stack.close()
