"""The types of resources that may be planned for, one file each: a new type is a new file here, found by itself.

A file holds the type's schemas and names them in `SCHEMA`.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from headworks.plans.typed_targets import Schema


def read_schemas() -> Mapping[str, Schema]:
    """The schema of every type by its name. Raises ValueError where two files give one name."""
    found: dict[str, Schema] = {}
    for file in sorted(iter_modules(__path__), key=lambda each: each.name):
        schema: Schema = import_module(f"{__name__}.{file.name}").SCHEMA
        if schema.name in found:
            raise ValueError(
                f"resource_types/{file.name}.py: {schema.name} has a file already; a name of its own is right"
            )
        found[schema.name] = schema
    return found


SCHEMAS = read_schemas()
