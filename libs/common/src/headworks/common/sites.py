"""Reads the site files of a deployment."""

from collections.abc import Mapping
from pathlib import Path

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite, parse_site


def read_sites(folder: Path) -> dict[str, AnySite]:
    """Every site of a folder by its name. Raises ValueError naming the file, the field and what would be right."""
    sites: dict[str, AnySite] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            site = parse_site(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        sites[site.site] = site
    if not sites:
        raise ValueError(f"HEADWORKS_SITES={folder} holds no site file (*.yaml)")
    return sites


def afterbays(sites: Mapping[str, AnySite]) -> dict[str, AfterbaySite]:
    """The afterbays among the sites."""
    return {name: site for name, site in sites.items() if isinstance(site, AfterbaySite)}
