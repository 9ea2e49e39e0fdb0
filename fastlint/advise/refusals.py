"""Why advice is refused: each error is one sentence for people. Imports nothing."""


class AdviceError(Exception):
    """A situation in which no advice is possible, or a file that cannot be written."""


class MeasurementError(Exception):
    """A measurement that cannot be used."""
