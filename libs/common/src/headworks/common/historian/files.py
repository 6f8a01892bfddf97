"""A historian file of a site, whichever kind its mapping is of: what it holds, and the report of what is wrong with it."""

from dataclasses import dataclass

from headworks.common.historian.level_volume import compare
from headworks.common.historian.mapping import LevelVolumeMapping, RecordMapping, mapping_of
from headworks.common.historian.reading import Progress, record_in
from headworks.common.historian.record import Record
from headworks.common.historian.report import LevelVolumeReport, RecordReport, report_of_record, report_of_table
from headworks.waterway.site import Site
from headworks.waterway.station_site import StationSite


@dataclass(frozen=True, slots=True)
class ExaminedRecord:
    """A record that can be kept."""

    record: Record
    report: RecordReport


@dataclass(frozen=True, slots=True)
class ExaminedTable:
    """A table of volumes that was compared with the site's curve; there is nothing to keep."""

    report: LevelVolumeReport


def examine(
    content: bytes, site: Site, mapping: str | None, progress: Progress = lambda _: None
) -> ExaminedRecord | ExaminedTable:
    """Read and judge a file by one of the site's mappings (the first without a name). Raises ValueError."""
    name, found = mapping_of(site, mapping)
    match found:
        case RecordMapping():
            record = record_in(content, site, found, progress)
            return ExaminedRecord(record, report_of_record(record, name))
        case LevelVolumeMapping():
            if not isinstance(site, StationSite):
                raise ValueError(f"mapping={name!r} is of kind level_volume, and site {site.site} has no tunnel")
            tunnel = site.pumping_station.station.tunnel
            return ExaminedTable(report_of_table(compare(content, found, tunnel), site.site, name))
