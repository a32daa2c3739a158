"""What each command does, room by room; `cli.py` chooses among them."""
