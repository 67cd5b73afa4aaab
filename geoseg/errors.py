"""Every error that geoseg raises on purpose.

* GeosegError
  - InputError      (ValueError)     what was given cannot be used; nothing was run
    - GridError                      windows, tiles or planes that do not fit together
    - ShapeError                     an array of the wrong shape or dtype
    - PlanError                      no plan fits the tile, overlap and block asked for
    - SceneError    (OSError)        a raster that cannot be used; names the path
    - AoiError                       an area that is empty, invalid or off the scene
    - LabelsError                    reference labels that cannot be used
    - ModelError                     a package that is unknown, damaged or unfit
    - VectorError                    polygons that cannot be made or written as asked
    - OutputError   (OSError)        a place where results cannot be written
    - ClusterError                   workers or a scheduler that cannot be used
    - ResumeError   (RuntimeError)   the run on disk is another one; says what differs
  - RunError        (RuntimeError)   something failed on the way; finished work is kept
    - BlockError                     a block failed; names it; the cause is chained
    - DeviceError                    the device ran out of memory
    - TrainingError                  training cannot go on (a loss that is no number)
    - DiskError     (OSError)        the disk is full or went away while writing

The command line turns an InputError into exit status 2 and a RunError into 1.
A message says what was needed, what was found, and what to do about it.

OSError comes first among the bases where it is one: an exception can only be
sent between processes if it is made the way its first base is.
"""


class GeosegError(Exception):
    """Root of the family: catch this to catch all that geoseg raises on purpose."""


class InputError(GeosegError, ValueError):
    """What was given cannot be used; nothing has been run or written."""


class GridError(InputError):
    """Windows, tiles or pixel planes that do not fit together."""


class ShapeError(InputError):
    """An array of the wrong shape or dtype."""


class PlanError(InputError):
    """No plan fits the tile, overlap and block asked for."""


class SceneError(OSError, InputError):
    """A raster that cannot be used; the message names its path."""


class AoiError(InputError):
    """An area of interest that is empty, invalid or outside the scene."""


class LabelsError(InputError):
    """Reference labels that cannot be used."""


class ModelError(InputError):
    """A model package that is unknown, damaged or does not fit the scene."""


class VectorError(InputError):
    """Polygons that cannot be made or written as asked."""


class OutputError(OSError, InputError):
    """A place where results cannot be written."""


class ClusterError(InputError):
    """Workers or a scheduler that cannot be used; names which."""


class ResumeError(InputError, RuntimeError):
    """The run on disk is a different one; the message names the difference."""


class RunError(GeosegError, RuntimeError):
    """Something failed on the way; finished work is kept and can be resumed."""


class BlockError(RunError):
    """A block of the scene failed; the message names it, the cause is chained."""


class DeviceError(RunError):
    """The device ran out of memory; the message names the batch to try."""


class TrainingError(RunError):
    """Training cannot go on, for instance because the loss is not a number."""


class DiskError(OSError, RunError):
    """The disk is full or went away while writing."""
