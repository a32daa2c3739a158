"""The part of the application that keeps what a person sets up: theme, columns, order, layout, keys."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import RenderableType
from textual.dom import DOMNode

from .output import DiffOutputApp
from .screens.main import MainScreen
from .settings import Settings, Values, values_of
from .themes import THEMES, first_theme

if TYPE_CHECKING:
    from textual.actions import ActionParseResult


class SettingsApp(DiffOutputApp[int]):
    """Reads settings before the first paint, and writes them when they change and at the end."""

    settings: Settings
    _first_theme = ""
    _ends = False

    def exit(self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """As Textual's; keys that were typed ahead mean the shell from here on."""
        self._ends = True
        super().exit(result, return_code, message)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As Textual's, until the screen is taken down: there is nothing left that a key could act on."""
        return self._ends or await super().run_action(action, default_namespace, namespaces)

    def get_css_variables(self) -> dict[str, str]:
        """Those of the theme; before it is chosen nothing is styled, and colours need not be mixed."""
        return super().get_css_variables() if self._first_theme else {}

    def use(self, settings: Settings | None) -> None:
        """Take the theme and the keys of these settings; None: nothing is read and nothing kept."""
        self.settings = settings or Settings()
        for theme in THEMES:
            self.register_theme(theme)
        self._first_theme = first_theme(self.settings.config.theme)
        if self.available_themes[self._first_theme].ansi:
            self.theme = self._first_theme
        else:  # nothing is styled yet: nothing has to be styled again
            self.set_reactive(SettingsApp.theme, self._first_theme)
            self.stylesheet.set_variables(self.get_css_variables())
        self.set_keymap(self.settings.config.keys)

    @property
    def main(self) -> MainScreen | None:
        """The main screen, once there is an observation."""
        return next((one for one in self.screen_stack if isinstance(one, MainScreen)), None)

    def begin_settings(self, main: MainScreen) -> None:
        """Take the present values as saved: only what differs from them is written."""
        self.settings.begin(self._values(main))

    def keep_settings(self) -> None:
        """Write to the configuration file what was changed."""
        words = self.settings.keep(self._values(self.main)) if self.main is not None else ""
        if words:
            self.say(words)

    def say(self, words: str) -> None:
        """A message for the person."""
        raise NotImplementedError

    def action_keep_settings(self) -> None:
        self.keep_settings()

    async def action_quit(self) -> None:
        self.keep_settings()
        await super().action_quit()

    def _values(self, main: MainScreen) -> Values:
        theme = self.theme if self.theme != self._first_theme else self.settings.config.theme
        return {("", "theme"): theme or None, **values_of(main.actions.panes, main.zoomed)}
