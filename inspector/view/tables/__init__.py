"""What the panes show, as plain rows: pure functions of what is known, without a widget."""
