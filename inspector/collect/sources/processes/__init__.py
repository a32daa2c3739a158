"""The process tree: who is born, what each program is, how it is doing, how it ends."""
