"""Explanations of what the analysis found: better words for a leaf, the root behind it, a next step and its command.

A cause explains one chain of refusals; a pattern is found in the state as a whole and speaks where nothing was refused,
or beside the answer. Neither decides what the mode is or where it ended: that is the analysis.
"""
