"""The few widgets of the screen; each draws lines of cells and repaints only lines that changed."""
