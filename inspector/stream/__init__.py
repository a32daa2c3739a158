"""The contract between the side that looks (collect) and the sides that show (model, view, report).

Events travel up, requests travel down; both are JSON lines. Live, recorded and remote streams are the same thing.
"""
