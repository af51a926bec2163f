"""Every error that Tintype raises on purpose, and the exit code that each one ends a command with.

    TintypeError                      1
    ├── UsageError (ValueError)       2   the call itself is wrong: a field, an option, a missing extra
    │   ├── RecipeError               2   a recipe that cannot be read or does not hold together
    │   └── MissingExtraError         2   the command needs `tintype[train]` or another extra
    ├── InputError                    1   something that was read
    │   ├── ImageError                1   one picture: missing, damaged, not a picture
    │   │   └── LimitError            1   one picture: beyond a limit of size or time
    │   ├── DataError                 1   a set of pictures: empty, unpaired, changed under a run
    │   └── ModelFileError            1   a model file: missing, damaged, made by something else
    ├── OutputError                   1   something that could not be written: no right, no space
    ├── RunError                      1   a run folder that does not fit what was asked of it
    │   ├── RecipeMismatchError       1   the folder holds a run of another recipe
    │   └── CheckpointError           1   a checkpoint that is damaged or does not fit the networks
    ├── NonFiniteLossError            1   training diverged
    ├── LostProcessError              1   another process of the same run has ended
    └── OutOfMemoryError              1   a training step, or a network on a picture, does not fit into memory

A message says where, what came, what was needed and what to do, in one line. Anything else that escapes a command is
a defect of Tintype.
"""


class TintypeError(Exception):
    """Base of all deliberate errors; `exit_code` is what a command that it ends returns."""

    exit_code = 1


class UsageError(TintypeError, ValueError):
    """The request itself cannot be carried out as written."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is malformed, has an unknown field or contradicts itself."""


class MissingExtraError(UsageError):
    """A command needs a library that the base install leaves out."""


class InputError(TintypeError):
    """Something that was given to be read cannot be used."""


class ImageError(InputError):
    """One picture cannot be read."""


class LimitError(ImageError):
    """One picture is larger, or takes longer, than is allowed."""


class DataError(InputError):
    """A set of pictures cannot be used as it is."""


class ModelFileError(InputError):
    """A file is not a usable Tintype model."""


class OutputError(TintypeError):
    """A result cannot be written; nothing is left half-written."""


class RunError(TintypeError):
    """A run folder does not fit what was asked of it."""


class RecipeMismatchError(RunError):
    """A run folder holds a run of another recipe."""


class CheckpointError(RunError):
    """A checkpoint is damaged or belongs to other networks."""


class NonFiniteLossError(TintypeError):
    """A loss term became infinite or not a number."""


class LostProcessError(TintypeError):
    """Another of the processes that train or translate together has ended, so this one cannot go on."""


class OutOfMemoryError(TintypeError):
    """A training step, or a network on a picture, needs more memory than there is or may be used."""
