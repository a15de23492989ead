"""Every exception nahas raises on purpose.

The tree::

    NahasError
    ├── LayerError       a layer with an impossible shape
    ├── NetworkError     a network that cannot be built or is unknown
    ├── HardwareError    an accelerator that cannot exist, or an unknown preset
    ├── EnergyError      an energy or area table that is incomplete
    ├── MappingError     a mapping that does not cover its layer
    ├── SpaceError       a decision, value or choice that a space does not have
    ├── RewardError      a target or exponent that means nothing
    ├── DataError        a data set that is missing, damaged or cannot be divided
    ├── TrainingError    a child that cannot be trained so, or whose files are damaged
    ├── AccuracyError    an accuracy source that is missing, damaged or asked outside its space
    ├── CostModelError   a cost model that is damaged, or of another space or simulator
    ├── StudyError       a study file that is damaged, newer, in use or of another search
    ├── InteropError     a file of another tool that cannot be read
    ├── WorkerError      a worker that was lost, or failed over its task
    └── UsageError       options that contradict each other

Each message is one sentence: what, which field, what value, what is allowed, what to do.
The command line prints it alone and exits with 2.
"""


class NahasError(Exception):
    """Anything the user can mend."""


class LayerError(NahasError):
    """A layer with an impossible shape."""


class NetworkError(NahasError):
    """A network that cannot be built or is unknown."""


class HardwareError(NahasError):
    """An accelerator that cannot exist, or an unknown preset."""


class EnergyError(NahasError):
    """An energy or area table that is incomplete."""


class MappingError(NahasError):
    """A mapping that does not cover its layer."""


class SpaceError(NahasError):
    """A decision, value or choice that a space does not have."""


class RewardError(NahasError):
    """A target or exponent that means nothing."""


class DataError(NahasError):
    """A data set that is missing, damaged or cannot be divided."""


class TrainingError(NahasError):
    """A child that cannot be trained so, or whose files are damaged."""


class AccuracyError(NahasError):
    """An accuracy source that is missing, damaged or asked outside its space."""


class CostModelError(NahasError):
    """A cost model that is damaged, or of another space or simulator."""


class StudyError(NahasError):
    """A study file that is damaged, newer, in use or of another search."""


class InteropError(NahasError):
    """A file of another tool that cannot be read."""


class WorkerError(NahasError):
    """A worker that was lost, or failed over its task."""


class UsageError(NahasError):
    """Options that contradict each other."""
