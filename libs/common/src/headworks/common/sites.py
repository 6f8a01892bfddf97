"""Reads the site files of a deployment."""

from pathlib import Path

from headworks.waterway.site import Site, parse_site


def read_sites(folder: Path) -> dict[str, Site]:
    """Every site of a folder by its name. Raises ValueError naming the file, the field and what would be right."""
    sites: dict[str, Site] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            site = parse_site(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        sites[site.site] = site
    if not sites:
        raise ValueError(f"HEADWORKS_SITES={folder} holds no site file (*.yaml)")
    return sites
