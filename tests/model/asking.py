"""Questions to a diagnosis, as tests ask them."""

from inspector.model.diagnosis import diagnose
from inspector.model.verdict import Finding, Rung, RungName

from .build import Story

SHIM = "/opt/vgpu/lib/libshim-a.so"
BACKEND = "/opt/app/lib/libbackend.so"
CPU = 'time=2025-10-09T08:53:21.000Z level=INFO msg="inference compute" id=cpu library=cpu compute="" total="15 GiB"'
CUDA = 'msg="inference compute" id=GPU-1 library=CUDA compute=9.0 name=CUDA0 description="X" total="79.6 GiB"'


def findings(story: Story) -> list[Finding]:
    """All findings, the answer first."""
    return diagnose(story.state).findings


BLAMELESS = ("nobody-asked", "cause-not-seen", "gpu-ready", "management-only")
"""Rules that say how it stands and blame nothing."""


def rules(story: Story) -> list[str]:
    """Their rules, without those that blame nothing."""
    return [finding.rule for finding in findings(story) if finding.rule not in BLAMELESS]


def answer(story: Story) -> Finding:
    """The answer."""
    return findings(story)[0]


def found(story: Story, rule: str) -> Finding:
    """The finding of one rule."""
    return next(finding for finding in findings(story) if finding.rule == rule)


def rung(story: Story, name: RungName, pid: int = 812, api: str = "cuda-driver") -> Rung:
    """One rung of one ladder."""
    ladder = next(one for one in diagnose(story.state).ladders if (one.pid, one.api) == (pid, api))
    return next(one for one in ladder.rungs if one.rung == name)


def working(story: Story, pid: int = 812, *, library: str = "/opt/shim/libcuda.so.1", by: str = BACKEND) -> None:
    """A consumer discovers a device, allocates and launches, all with success."""
    story.call(pid, "cuInit", by=by, library=library)
    story.call(pid, "cuDeviceGetCount", by=by, library=library, values={"count": 1})
    story.call(pid, "cuMemAlloc_v2", by=by, library=library, values={"pointer": 0x7F30_0000_0000})
    story.call(pid, "cuLaunchKernel", by=by, library=library, count=312)


def healthy() -> Story:
    """A program with a consumer on the GPU: nothing may be blamed here."""
    story = Story()
    story.process(812, environment={"LD_LIBRARY_PATH": "/opt/shim"})
    story.driver(812)
    story.consumer(812, BACKEND)
    working(story)
    return story
