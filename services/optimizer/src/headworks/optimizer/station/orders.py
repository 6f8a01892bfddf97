"""What is wrong with what a person asks of a station: overrides and edited frequencies, by field, value and what is right."""

from collections.abc import Iterator, Mapping, Sequence

from headworks.common.messages import Override
from headworks.common.problems import FieldProblem
from headworks.waterway.station_site import StationSite


def override_faults(site: StationSite, overrides: Sequence[Override]) -> list[FieldProblem]:
    """A station takes no values by hand: what a person knows of the time ahead is a strategy."""
    expected = f"nothing: {site.site} takes no values by hand; give strategies instead"
    return [
        FieldProblem(field=f"overrides.{i}.series", value=override.series, expected=expected)
        for i, override in enumerate(overrides)
    ]


def frequency_faults(
    site: StationSite, steps: int, frequency_hz: Mapping[str, Sequence[float]] | None
) -> list[FieldProblem]:
    """The faults of edited frequencies: pumps of the station, one value for each step of the run."""
    if frequency_hz is None:
        expected = f"frequencies by resource, {steps} values each, one a step"
        return [FieldProblem(field="frequency_hz", value=None, expected=expected)]
    return list(_frequency_faults(site, steps, frequency_hz))


def _frequency_faults(
    site: StationSite, steps: int, frequency_hz: Mapping[str, Sequence[float]]
) -> Iterator[FieldProblem]:
    resources = [pump.resource for pump in site.pumping_station.pumps]
    for resource, values in frequency_hz.items():
        if resource not in resources:
            yield FieldProblem(field=f"frequency_hz.{resource}", value=resource, expected=f"one of {resources}")
        elif len(values) != steps:
            expected = f"{steps} values, one a step"
            yield FieldProblem(field=f"frequency_hz.{resource}", value=len(values), expected=expected)
