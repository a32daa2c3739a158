"""What stands behind a loader: only drivers that compute on the CPU, or one that opened a device."""

from inspector.model.drivers import drivers_behind
from inspector.stream.calls import FileOpened

from .build import Story

LAVAPIPE, RADV = "/usr/lib/libvulkan_lvp.so", "/usr/lib/libvulkan_radeon.so"


def told(*paths: str, opened: str = "", errno: int = 0) -> Story:
    story = Story()
    story.process(812)
    for path in ("/usr/lib/libvulkan.so.1", *paths):
        story.map(812, path)
    if opened:
        story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=opened, errno=errno))
    return story


def only_software(story: Story, api: str = "vulkan") -> bool:
    return drivers_behind(story.state.processes[0], api, story.state.profiles).only_software


def test_lavapipe_alone_computes_on_the_cpu() -> None:
    assert only_software(told(LAVAPIPE))


def test_a_driver_that_is_loaded_and_opened_no_device_changes_nothing() -> None:
    assert only_software(told(LAVAPIPE, RADV))
    assert only_software(told(LAVAPIPE, RADV, opened="/dev/dri/renderD128", errno=13))


def test_a_driver_with_its_device_does() -> None:
    story = told(LAVAPIPE, RADV, opened="/dev/dri/renderD128")
    assert not only_software(story)
    drivers = drivers_behind(story.state.processes[0], "vulkan", story.state.profiles)
    assert (drivers.hardware, drivers.software, drivers.nodes) == ([RADV], [LAVAPIPE], ["/dev/dri/renderD128"])


def test_an_api_without_a_loader_has_no_drivers_behind_it() -> None:
    assert not only_software(told(LAVAPIPE), "cuda-driver")
    assert not only_software(told(), "vulkan")


def test_a_driver_of_unknown_name_is_known_by_the_entry_that_its_loader_looked_up() -> None:
    story = told()
    story.look_up(812, "dlsym", "vk_icdGetInstanceProcAddr", by="/usr/lib/libvulkan.so.1", answer="/opt/libvirt.so")
    drivers = drivers_behind(story.state.processes[0], "vulkan", story.state.profiles)
    assert (drivers.hardware, drivers.none) == (["/opt/libvirt.so"], False)


def test_the_loader_itself_is_no_driver_behind_it() -> None:
    story = told()
    names = ["clGetExtensionFunctionAddress", "clGetPlatformIDs"]
    for name in names:
        story.look_up(812, "dlsym", name, by="/opt/app/server", answer="/usr/lib/libOpenCL.so.1.0.0")
    assert drivers_behind(story.state.processes[0], "opencl", story.state.profiles).none
