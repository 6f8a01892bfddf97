"""The physics against numbers worked out by hand from the operators' formulas, in cfs and MW."""

import pytest

from headworks.waterway.afterbay import (
    Conditions,
    Mode,
    bias_m3s,
    head_limit_mw,
    inflow_m3s,
    mf12_flow_m3s,
    mf12_share_mw,
    unit_flow_m3s,
)
from headworks.waterway.afterbay_site import AfterbaySite

FT, CFS = 0.3048, 0.3048**3


def conditions(mode: Mode, mfra: float, r4: float, r5l: float, bias: float = 0.0) -> Conditions:
    return Conditions(100 * CFS, r4 * CFS, 30 * CFS, r5l * CFS, 10 * CFS, mfra, mode, bias * CFS)


@pytest.mark.parametrize(
    ("mode", "mfra", "r4", "r5l", "share_mw"),
    [
        (Mode.GEN, 100, 300, 20, 0.59 * 72),  # (300 - 20)/10 = 28 MW off
        (Mode.GEN, 100, 2000, 20, 0.59 * 14),  # capped at 86 MW
        (Mode.GEN, 50, 2000, 20, 0.0),
        (Mode.GEN, 100, 10, 20, 0.59 * 100),  # no diversion, nothing off
        (Mode.SPILL, 100, 2000, 20, 0.59 * 100),
    ],
)
def test_the_share_of_mf12(site: AfterbaySite, mode: Mode, mfra: float, r4: float, r5l: float, share_mw: float) -> None:
    assert mf12_share_mw(site.afterbay.upstream, conditions(mode, mfra, r4, r5l)) == pytest.approx(share_mw)


def test_the_water_of_mf12(site: AfterbaySite) -> None:
    share = 0.59 * 72
    expected = 0.00943 * share**2 + 5.6653 * share + 18.54
    flow = mf12_flow_m3s(site.afterbay.upstream, conditions(Mode.GEN, 100, 300, 20))
    assert flow / CFS == pytest.approx(expected)


def test_the_net_inflow_in_gen_counts_r4_as_given(site: AfterbaySite) -> None:
    upstream, inflow = site.afterbay.upstream, site.afterbay.inflow
    c = conditions(Mode.GEN, 100, 300, 20, bias=7)
    mf_cfs = mf12_flow_m3s(upstream, c) / CFS
    assert inflow_m3s(upstream, inflow, c) / CFS == pytest.approx(100 + 300 + 30 - 20 - 10 + 7 + mf_cfs + 280)
    once = inflow.model_copy(update={"r4_counted_in_sum": False})
    assert inflow_m3s(upstream, once, c) / CFS == pytest.approx(100 + 30 - 20 - 10 + 7 + mf_cfs + 280)


def test_the_conveyance_is_capped_but_the_river_is_not(site: AfterbaySite) -> None:
    upstream, inflow = site.afterbay.upstream, site.afterbay.inflow
    capped = inflow_m3s(upstream, inflow, conditions(Mode.GEN, 210, 500, 20)) / CFS
    assert capped == pytest.approx(100 + 500 + 30 - 20 - 10 + 886)
    flood = inflow_m3s(upstream, inflow, conditions(Mode.GEN, 210, 3020, 20)) / CFS
    assert flood == pytest.approx(100 + 3020 + 30 - 20 - 10 + 3000)


def test_the_net_inflow_in_spill(site: AfterbaySite) -> None:
    c = conditions(Mode.SPILL, 100, 300, 20)
    mf_cfs = 0.00943 * 59**2 + 5.6653 * 59 + 18.54
    inflow = inflow_m3s(site.afterbay.upstream, site.afterbay.inflow, c) / CFS
    assert inflow == pytest.approx(100 + 300 + 30 - 20 - 10 + mf_cfs)


def test_the_unit(site: AfterbaySite) -> None:
    unit = site.afterbay.unit
    assert unit_flow_m3s(unit, 4.0) / CFS == pytest.approx(163.73 * 4 + 83)
    assert head_limit_mw(unit, 1168 * FT) == pytest.approx(5.10, abs=0.005)
    assert head_limit_mw(unit, 1175.66 * FT) == pytest.approx(5.8, abs=0.001)


def test_the_bias_is_the_mean_of_clipped_residuals(site: AfterbaySite) -> None:
    clip = site.afterbay.inflow.bias_clip
    assert clip == pytest.approx(2000 * CFS)
    assert bias_m3s([10 * CFS, 9000 * CFS], [0.0, 0.0], clip) == pytest.approx(1005 * CFS)
    assert bias_m3s([-9000 * CFS], [0.0], clip) == pytest.approx(-2000 * CFS)
    assert bias_m3s([], [], clip) is None
    with pytest.raises(ValueError, match="zip"):
        bias_m3s([1.0], [], clip)
