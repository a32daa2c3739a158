"""Real container runtimes: podman, docker and containerd with runc, each started where the machine has it."""
