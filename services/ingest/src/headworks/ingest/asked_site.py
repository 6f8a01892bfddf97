"""The site that a call names."""

from collections.abc import Mapping

from headworks.common.problems import FieldProblem, Problem
from headworks.waterway.site import Site


def asked_site(sites: Mapping[str, Site], name: str) -> Site:
    """The site of a name; answers 404 with those that there are."""
    if name not in sites:
        wrong = FieldProblem(field="site", value=name, expected=f"one of {sorted(sites)}")
        raise Problem(404, "No such site", errors=[wrong])
    return sites[name]
