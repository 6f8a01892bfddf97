"""The rules by which the fault test judges registers find what is wrong, and nothing else. They run with `make test`."""

import socket
from itertools import pairwise

import pytest
from killer import KINDS, schedule
from links import links_to
from register_rules import Look, Watched, is_subsequence, limit_breaches, rate_breaches, return_breaches, stretches

TURBINE = Watched("OXPH", "plc", 0, is_pump=False, minimum=80, maximum=580, rate_per_s=4.2, window_s=5.0)
PUMP = Watched("P1_1", "pumps-1", 0, is_pump=True, minimum=4780, maximum=5000, rate_per_s=10.0, window_s=5.0)


def looks(*counts: int, runs: bool = True, actual: int = 200) -> list[Look]:
    """A look each second, that takes 10 ms."""
    return [Look(float(t), t + 0.01, [c], [actual, int(runs)]) for t, c in enumerate(counts)]


def test_a_setpoint_at_its_limit_is_none_and_one_beyond_is_a_breach() -> None:
    assert limit_breaches(TURBINE, looks(80, 580, 80), []) == []
    assert len(limit_breaches(TURBINE, looks(80, 581, 79), [])) == 2


def test_a_zero_needs_a_restart_of_its_plc_at_that_moment() -> None:
    assert limit_breaches(TURBINE, looks(100, 0, 0, 101), [(0.5, 0.6)]) == []
    assert len(limit_breaches(TURBINE, looks(100, 0, 0, 101), [(2.5, 2.6)])) == 1


def test_the_rate_is_allowed_and_faster_is_a_breach() -> None:
    held = [100] * 7
    assert rate_breaches(TURBINE, looks(*held, 104, 108, 113, 117)) == []
    # From a change on, at most 4.2 a second and one count; the looks leave a second of doubt.
    assert rate_breaches(TURBINE, looks(*held, 104, 110, 118, 126)) != []
    assert rate_breaches(TURBINE, looks(100, 100, 123)) != [], "a step above the window's"


def test_a_pump_that_stands_may_be_set_to_any_speed() -> None:
    assert rate_breaches(PUMP, looks(4780, 5000, 4780, runs=False)) == []
    assert rate_breaches(PUMP, looks(4780, 5000, 4780, runs=True)) != []


def test_after_a_restart_the_first_setpoint_begins_at_what_the_machine_gives() -> None:
    assert return_breaches(TURBINE, looks(200, 0, 204, actual=200)) == []
    assert return_breaches(TURBINE, looks(200, 0, 300, actual=200)) != []


def test_runs_and_rests_are_counted_between_ends_that_were_seen() -> None:
    at = [Look(float(t), t + 0.5, [0], [0, int(ran)]) for t, ran in enumerate([1, 0, 0, 0, 1, 1, 0])]
    assert [(s.running, s.most_s) for s in stretches(PUMP, at)] == [(False, 4.5), (True, 3.5)]


def test_what_was_written_stands_in_order_among_what_was_intended() -> None:
    assert is_subsequence([1, 3], [1, 2, 3])
    assert not is_subsequence([3, 1], [1, 2, 3])


def test_a_seed_gives_the_same_faults_again_and_never_two_of_one_target_at_once() -> None:
    faults = schedule(7, 600)
    assert faults == schedule(7, 600) != schedule(8, 600)
    for target in KINDS:
        own = [fault for fault in faults if fault.target == target]
        assert own, target
        assert all(a.until_s < b.at_s for a, b in pairwise(own))


@pytest.mark.parametrize("kind", ["hang", "drop"])
def test_a_link_passes_nothing_while_it_is_broken_and_all_once_it_is_whole(kind: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as plc,
        links_to({"plc": plc.getsockname()[1]}) as links,
    ):
        link = links["plc"]
        plc.settimeout(5)
        with socket.create_connection(("127.0.0.1", link.port), 5) as through, plc.accept()[0] as at_plc:
            at_plc.settimeout(5)
            through.sendall(b"ask")
            assert at_plc.recv(10) == b"ask"
            link.break_down(kind)
            if kind == "hang":
                through.sendall(b"lost")
            at_plc.settimeout(0.3)
            assert _came(at_plc) == (None if kind == "hang" else b"")
            link.heal()
        with socket.create_connection(("127.0.0.1", link.port), 5) as again, plc.accept()[0] as at_plc:
            at_plc.settimeout(5)
            again.sendall(b"again")
            assert at_plc.recv(10) == b"again"


def _came(connection: socket.socket) -> bytes | None:
    """What came, b"" for the end of the connection, None for nothing."""
    try:
        return connection.recv(10)
    except TimeoutError:
        return None
    except ConnectionResetError:
        return b""
