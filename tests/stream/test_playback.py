"""A recording plays in its own time."""

from inspector.stream.playback import Playback

from .samples import SECOND, story


def test_events_come_when_their_moment_has_come() -> None:
    player = Playback(story())
    assert player.advance(0) == story()[:1]
    assert player.advance(SECOND) == story()[1:3]
    assert player.wait() == SECOND
    assert player.advance(10 * SECOND) == story()[3:]
    assert player.finished and player.wait() is None and player.now == player.end


def test_twice_the_speed_takes_half_the_time() -> None:
    player = Playback(story(), speed=2.0)
    player.advance(0)
    assert player.wait() == SECOND // 2
    assert len(player.advance(SECOND)) == 4


def test_a_paused_player_gives_nothing_and_a_step_gives_one_moment() -> None:
    player = Playback(story())
    player.advance(0)
    player.paused = True
    assert list(player.advance(5 * SECOND)) == []
    assert player.step() == story()[1:3]
    assert player.paused


def test_seeking_forward_adds_and_seeking_back_starts_afresh() -> None:
    player = Playback(story())
    fresh, events = player.seek(3 * SECOND)
    assert not fresh and events == story()[:6]
    fresh, events = player.seek(SECOND)
    assert fresh and events == story()[:3]
    fresh, events = player.seek(99 * SECOND)
    assert not fresh and events == story()[3:]


def test_an_event_that_is_late_in_the_file_is_played_with_its_predecessor() -> None:
    events = story()
    events[2], events[5] = events[5], events[2]
    player = Playback(events)
    player.advance(0)
    assert player.advance(SECOND) == events[1:2]
    assert player.advance(2 * SECOND) == events[2:6]


def test_an_empty_recording_is_finished_at_once() -> None:
    player = Playback([])
    assert player.finished and list(player.step()) == [] and player.seek(5) == (False, [])
