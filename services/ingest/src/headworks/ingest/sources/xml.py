"""XML of a source, read without entities or network."""

from lxml import etree

from headworks.ingest.sources.fault import SourceFault

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def parse_xml(content: bytes, what: str) -> etree._Element:
    """The root of a document. Raises SourceFault."""
    try:
        return etree.fromstring(content, _PARSER)
    except etree.XMLSyntaxError as error:
        raise SourceFault(f"{what} is no XML: {content[:80]!r} ({error})") from error
