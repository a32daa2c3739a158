"""The six panes: what each lists, when it has to be made anew, what it asks of the collector. No widget here."""
