"""What goes wrong with a source."""


class SourceFault(Exception):
    """A source did not give what was asked: down, refusing, or answering something else. The message says which."""


class Unreachable(SourceFault):
    """The source did not answer at all."""
