"""Calls of API functions: counted from now on, and what can be told of the time before."""
