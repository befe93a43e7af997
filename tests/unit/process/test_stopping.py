import os
import signal

import pytest

from job.process import stopping
from job.process.stopping import SIGNALS, Stop, Stopped


@pytest.fixture
def clock(monkeypatch):
    """A clock to be set; an hour passes before anything is taken for the same signal twice."""
    now = [1000.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "cause", "code"),
    [
        (signal.SIGTERM, "SIGTERM", 143),
        (signal.SIGINT, "SIGINT", 130),
        (signal.SIGHUP, "SIGHUP", 129),
        (signal.SIGUSR1, "SIGUSR1", 143),
    ],
)
def test_a_signal_ends_what_is_done_or_is_noted(number, cause, code):
    stop = Stop()
    with stop.handling_signals():
        with pytest.raises(Stopped) as caught:
            send(number)
        assert (caught.value.request.cause, caught.value.request.exit_code) == (cause, code)
        assert stop.request == caught.value.request
    stop = Stop()
    with stop.handling_signals(), stop.deferring_signals():
        assert stop.request is None
        stop.check()
        send(number)
        assert (stop.request.cause, stop.request.exit_code) == (cause, code)
        with pytest.raises(Stopped):
            stop.check()


def test_nothing_on_the_way_takes_it_for_a_failure():
    assert not issubclass(Stopped, Exception)


def test_a_second_signal_raises_with_the_first_ones_cause(clock):
    stop = Stop()
    with stop.handling_signals(), stop.deferring_signals():
        send(signal.SIGTERM)
        clock[0] += 3600
        with pytest.raises(Stopped) as caught:
            send(signal.SIGINT)
    assert caught.value.request.cause == "SIGTERM"


def test_one_who_does_not_insist_may_signal_as_often_as_it_likes(clock):
    stop = Stop(second_signal_raises=False)
    with stop.handling_signals(), stop.deferring_signals():
        for _ in range(3):
            send(signal.SIGTERM)
            clock[0] += 3600
    assert stop.request.cause == "SIGTERM"


def test_a_terminal_that_goes_away_is_no_second_request(clock):
    stop = Stop()
    with stop.handling_signals(), stop.deferring_signals():
        for number in (signal.SIGHUP, signal.SIGHUP):
            send(number)
            clock[0] += 3600
        assert (stop.request.cause, stop.request.exit_code) == ("SIGHUP", 129)
        with pytest.raises(Stopped):
            send(signal.SIGTERM)


def test_under_nohup_sighup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = Stop()
        with stop.handling_signals():
            send(signal.SIGHUP)
            assert stop.request is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_after_noting_a_signal_raises_again(clock):
    stop = Stop(second_signal_raises=False)
    with stop.handling_signals():
        with stop.deferring_signals():
            with stop.deferring_signals():
                pass
            send(signal.SIGTERM)
        clock[0] += 3600
        with pytest.raises(Stopped):
            send(signal.SIGTERM)


def test_the_time_limit_is_noted_and_a_signal_after_it_is_the_first(clock):
    stop = Stop(limit_seconds=60)
    with stop.handling_signals(), stop.deferring_signals():
        clock[0] += 59.9
        assert stop.request is None
        clock[0] += 0.2
        assert (stop.request.cause, stop.request.exit_code) == ("the time limit", 143)
        send(signal.SIGTERM)  # the cluster's own limit, while the state is saved
        assert stop.request.cause == "the time limit"
        clock[0] += 3600
        with pytest.raises(Stopped):
            send(signal.SIGTERM)


def test_the_time_limit_does_not_overrule_a_signal(clock):
    stop = Stop(limit_seconds=60)
    with stop.handling_signals(), stop.deferring_signals():
        send(signal.SIGINT)
        clock[0] += 3600
        assert stop.request.cause == "SIGINT"


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop().handling_signals():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(ZeroDivisionError), Stop().handling_signals():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in SIGNALS] == before
