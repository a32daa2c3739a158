"""Does this process need this API at all? A rung that is broken for nobody is no fault."""

from inspector.model.usage import Use, uses

from .view import View


def needed(view: View) -> bool:
    """Somebody asked for it, or could compute by it and has not got there through another API of the same devices."""
    use = view.use
    if use.consumer_calls or any(consumer.observed for consumer in use.consumers):
        return True
    if view.profiles.apis[use.api].mode is None:
        return False
    return bool(use.providers or use.consumers) and not any(other.consumer_calls for other in _same_devices(view))


def _same_devices(view: View) -> list[Use]:
    mode = view.profiles.apis[view.use.api].mode
    every = uses(view.state, view.process, view.profiles).values()
    return [other for other in every if view.profiles.apis[other.api].mode == mode]
