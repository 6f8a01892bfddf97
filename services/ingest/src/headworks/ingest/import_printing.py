"""A report on the terminal: tables of the series and of what was found."""

from rich.console import Console
from rich.table import Column, Table

from headworks.common.historian.report import KindReport, LevelVolumeReport, RecordReport
from headworks.common.messages import Quality


def print_report(report: RecordReport | LevelVolumeReport, console: Console) -> None:
    """Print it."""
    match report:
        case RecordReport():
            span = f"{report.first_at:%Y-%m-%d %H:%MZ} to {report.last_at:%Y-%m-%d %H:%MZ}"
            console.print(f"{report.site}, mapping {report.mapping}: {report.rows} rows, {span}", highlight=False)
            console.print(_series(report))
        case LevelVolumeReport():
            console.print(
                f"{report.site}, mapping {report.mapping}: {report.rows} rows; the largest difference from the site's "
                f"curve is {report.largest_difference_m3:.3g} m³, at {report.at_level_m:g} m",
                highlight=False,
            )
    if report.kinds:
        console.print(_kinds(report.kinds))
    else:
        console.print("nothing was found wrong")
    if isinstance(report, RecordReport) and report.stored is not None:
        console.print(f"{report.stored} values were new or changed and are stored", highlight=False)


def _series(report: RecordReport) -> Table:
    table = Table("series", *(quality.value for quality in Quality), "lowest", "highest")
    for column in table.columns[1:]:
        column.justify = "right"
    for s in report.series:
        ends = ("" if end is None else f"{end:.4g}" for end in (s.lowest, s.highest))
        table.add_row(s.series, *(str(s.qualities[quality]) for quality in Quality), *ends)
    return table


def _kinds(kinds: tuple[KindReport, ...]) -> Table:
    table = Table(Column("found", no_wrap=True), "values", "times", "row", "the first of them", title="What was found")
    for k in kinds:
        at = f"{k.first.stamp:%Y-%m-%d %H:%MZ}: " if k.first.stamp else ""
        quality = k.quality.value if k.quality else "as is"
        table.add_row(k.kind.value, quality, str(k.count), str(k.first.row or ""), at + k.first.text)
    return table
