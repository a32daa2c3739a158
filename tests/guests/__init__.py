"""Commands in virtual machines with the stock kernels of Debian's releases, so that other kernels than ours are tested.

    .venv/bin/python -m tests.guests 6.1 -- inspector doctor
    .venv/bin/python -m tests.guests 5.10 -- python3 -m pytest -q tests/kernel

The command runs as root in a copy of this source tree (what git does not ignore, as it is now); what it prints comes
live, its exit status is ours, and what it leaves in `$OUT` comes back with `--out FOLDER`. `--boot WORDS` adds to the
kernel's command line (`lockdown=confidentiality`). Needs no network in the guest, no KVM, and root on this machine only
to build the images, once, into `~/.cache/shim-inspector-tests`.
"""
