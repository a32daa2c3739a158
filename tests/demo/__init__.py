"""The cases: that they build, tell their story, and get the right answer."""
