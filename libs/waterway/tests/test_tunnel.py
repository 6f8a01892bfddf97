"""The tunnel's volume curve: the official table, both ways, and curves that cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.waterway.curves import OutOfRange
from headworks.waterway.tunnel import Piece, TunnelVolume

TUNNEL = TunnelVolume(
    (
        Piece(0.4, 5.9, 0.4, 2500, 0, 350),
        Piece(5.9, 8.6, 5.9, 0, 27_500, 75_975),
        Piece(8.6, 14.1, 14.1, -2500, 0, 225_850),
    )
)


@pytest.mark.parametrize(
    ("level_m", "volume_m3"),
    [
        (0, 350),
        (0.4, 350),
        (0.5, 375),
        (2, 6750),
        (5.9, 75_975),
        (7.2, 111_725),
        (8, 133_725),
        (8.6, 150_225),
        (14.1, 225_850),
    ],
)
def test_the_official_table(level_m: float, volume_m3: float) -> None:
    assert TUNNEL.volume_at(level_m) == pytest.approx(volume_m3)


@pytest.mark.parametrize(("level_m", "area_m2"), [(0.2, 0), (2, 8000), (5, 23_000), (7, 27_500)])
def test_the_surface(level_m: float, area_m2: float) -> None:
    assert TUNNEL.area_at(level_m) == pytest.approx(area_m2)


@given(st.floats(0.4, 14.1))
def test_level_and_volume_are_each_others_inverse(level_m: float) -> None:
    assert TUNNEL.level_at(TUNNEL.volume_at(level_m)) == pytest.approx(level_m, abs=1e-6)


@given(st.floats(0, 14.1))
def test_what_is_counted_on_at_a_level_has_that_level(level_m: float) -> None:
    assert TUNNEL.level_at(TUNNEL.water_at(level_m)) == pytest.approx(level_m, abs=1e-6)


@given(st.floats(0, 14.0), st.floats(0.001, 0.1))
def test_volume_rises_with_level(level_m: float, step_m: float) -> None:
    assert TUNNEL.volume_at(level_m + step_m) >= TUNNEL.volume_at(level_m)


@pytest.mark.parametrize("level_m", [-0.001, 14.101])
def test_no_level_is_extrapolated(level_m: float) -> None:
    with pytest.raises(OutOfRange, match=r"outside the tunnel's 0 to 14\.100 m"):
        TUNNEL.volume_at(level_m)


@pytest.mark.parametrize("volume_m3", [-0.1, 225_850.1])
def test_no_volume_is_extrapolated(volume_m3: float) -> None:
    with pytest.raises(OutOfRange, match="outside the tunnel's 0 to 225850 m³"):
        TUNNEL.level_at(volume_m3)


def test_within_the_sump_the_level_is_in_proportion() -> None:
    assert (TUNNEL.level_at(0), TUNNEL.level_at(175), TUNNEL.level_at(350)) == pytest.approx((0, 0.2, 0.4))


def test_pieces_must_meet() -> None:
    with pytest.raises(ValueError, match="must meet"):
        TunnelVolume((Piece(0.4, 5.9, 0.4, 2500, 0, 350), Piece(6.0, 8.6, 5.9, 0, 27_500, 75_975)))
    with pytest.raises(ValueError, match=r"the volume jumps by 25\.0 m³ at 5\.9 m"):
        TunnelVolume((Piece(0.4, 5.9, 0.4, 2500, 0, 350), Piece(5.9, 8.6, 5.9, 0, 27_500, 76_000)))
    with pytest.raises(ValueError, match="at least one piece"):
        TunnelVolume(())


def test_a_piece_must_rise() -> None:
    with pytest.raises(ValueError, match="volume falls at 15"):
        Piece(8.6, 15, 14.1, -2500, 0, 225_850)
    with pytest.raises(ValueError, match="must lie below"):
        Piece(2, 2, 0.4, 2500, 0, 350)
