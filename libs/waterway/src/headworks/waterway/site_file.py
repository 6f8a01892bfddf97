"""Reads a site file: its model says which kind of site it is."""

import yaml
from pydantic import ValidationError

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site import explain
from headworks.waterway.station_site import StationSite

AnySite = AfterbaySite | StationSite
MODELS: dict[str, type[AfterbaySite] | type[StationSite]] = {"afterbay": AfterbaySite, "pumping_station": StationSite}


def parse_site(text: str) -> AnySite:
    """A site from the text of its file. Raises ValueError naming each field, its value and what would be right."""
    try:
        raw = yaml.load(text, Loader=yaml.CSafeLoader)  # the reader in Python takes ten times as long
    except yaml.YAMLError as error:
        raise ValueError(f"not a YAML document: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError("a site file is a mapping with the keys site, name, model, …")
    kind = MODELS.get(str(raw.get("model")))
    if kind is None:
        raise ValueError(f"model: must be one of {', '.join(MODELS)} (got {raw.get('model')!r})")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ValueError(explain(error)) from error
