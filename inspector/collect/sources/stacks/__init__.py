"""Call stacks at deciding calls, refusals and deadly signals: of compiled code and of Python."""
