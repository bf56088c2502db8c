"""What entries tell of exceptions, and what is kept of a process that crashes."""

from typing import Annotated, Final

from pydantic import Field

from metaexpert.logger.faults.frames import LocalLimits
from metaexpert.logger.faults.groups import GroupRules
from metaexpert.logger.options.base import Options

_SECOND_NS: Final = 1_000_000_000


class ErrorOptions(Options):
    """What entries tell of exceptions, and what is kept of a process that crashes."""

    locals: bool = False
    """Local variables of the frames an exception came through: redacted, bounded, and none of their own code run."""
    locals_frames: Annotated[int, Field(ge=1, le=32)] = 5
    """Frames whose variables are shown; your own code first, innermost first."""
    locals_values: Annotated[int, Field(ge=1, le=128)] = 24
    """Variables of each frame."""
    locals_depth: Annotated[int, Field(ge=1, le=6)] = 3
    """How many containers deep a variable is looked into."""
    locals_max_bytes: Annotated[int, Field(ge=256, le=32 * 1024)] = 8 * 1024
    """What the variables of one entry may take together, characters."""
    task_stack: bool = True
    """The running task's coroutines, from its own one to the log call, beside an exception."""
    group: Annotated[float, Field(ge=0.0, le=86_400.0)] = 60.0
    """For so long the first tracebacks of an error stand for those that follow, seconds; 0 shows every one."""
    group_tracebacks: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many tracebacks of one error are shown within that time."""
    faulthandler: bool | None = None
    """Keep the stacks of a crash (a segmentation fault, an abort) beside the logs, and report them at the next start;
    when left out, where there are files or collectors. A `faulthandler` that is enabled already is left alone."""
    faults_kept: Annotated[int, Field(ge=0, le=1000)] = 20
    """Reported crashes whose stacks are kept."""

    def local_limits(self) -> LocalLimits | None:
        """How much of local variables is shown; None for none."""
        if not self.locals:
            return None
        return LocalLimits(
            frames=self.locals_frames,
            values=self.locals_values,
            characters=self.locals_max_bytes,
            depth=self.locals_depth,
        )

    def group_rules(self) -> GroupRules | None:
        """When an error is told in full; None for always."""
        if not self.group:
            return None
        return GroupRules(window_ns=round(self.group * _SECOND_NS), tracebacks=self.group_tracebacks)
