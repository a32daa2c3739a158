"""One file a family of events: what each does to the state. Only `model.fold` uses this."""
