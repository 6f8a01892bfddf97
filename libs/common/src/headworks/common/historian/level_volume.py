"""A table of volumes by level, held against a tunnel's curve."""

from dataclasses import dataclass

from headworks.common.historian.cells import number_in, read_table
from headworks.common.historian.mapping import LevelVolumeMapping
from headworks.common.historian.record import Finding, Kind
from headworks.common.messages import Quality
from headworks.waterway.curves import OutOfRange
from headworks.waterway.tunnel import TunnelVolume


@dataclass(frozen=True, slots=True)
class LevelVolume:
    """The rows that can be compared, the largest difference and where it is, and what was found wrong."""

    rows: int
    largest_m3: float
    at_level_m: float
    findings: tuple[Finding, ...]


def compare(content: bytes, mapping: LevelVolumeMapping, tunnel: TunnelVolume) -> LevelVolume:
    """The table against the curve. Raises ValueError where the file as a whole cannot be read."""
    table = read_table(content, mapping)
    places = [table.place_of(column) for column in (mapping.level, mapping.volume)]
    findings: list[Finding] = []
    differences: list[tuple[float, float]] = []
    for row in table.rows:
        level_m, volume_m3 = (number_in(row.at(place), mapping.decimal) for place in places)
        if not isinstance(level_m, float) or not isinstance(volume_m3, float):
            text = f"level {level_m!r} and volume {volume_m3!r} must both be numbers"
            findings.append(Finding(Kind.NOT_A_NUMBER, text, Quality.BAD, row=row.number))
            continue
        try:
            difference_m3 = volume_m3 - tunnel.volume_at(level_m)
        except OutOfRange as error:
            findings.append(Finding(Kind.OUT_OF_RANGE, str(error), Quality.SUSPECT, row=row.number))
            continue
        differences.append((difference_m3, level_m))
        if abs(difference_m3) > mapping.agrees_within:
            text = f"{volume_m3:.1f} m³ at {level_m:g} m is {difference_m3:+.1f} m³ off the site's curve"
            findings.append(Finding(Kind.CURVE, text, Quality.SUSPECT, row=row.number))
    if not differences:
        raise ValueError(f"no row has a level in {mapping.level!r} and a volume in {mapping.volume!r} to compare")
    largest_m3, at_level_m = max(differences, key=lambda pair: abs(pair[0]))
    return LevelVolume(len(differences), abs(largest_m3), at_level_m, tuple(findings))
