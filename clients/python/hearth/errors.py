"""What can go wrong between a program and its pool. What a function raises is raised as it is, with a RemoteTraceback
as its cause."""

from __future__ import annotations


class HearthError(Exception):
    """The pool refused or could not be reached. `code` is one of Connect's: "unauthenticated", "unavailable", ..."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed a little later: the hub is away, or starting."""
        return self.code in ("unavailable", "deadline_exceeded", "aborted")


class CannotTravel(HearthError):
    """A function or value cannot be sent to another computer; the message says which, why, and what helps."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_argument", message)


class TaskFailed(HearthError):
    """A call ended without a result: its process died, ran out of memory or time, or could not be started."""

    def __init__(self, message: str, job: int, task: int, reason: str) -> None:
        super().__init__("aborted", message)
        self.job = job
        self.task = task
        self.reason = reason  # "EXIT_CODE", "OUT_OF_MEMORY", "TIME_LIMIT", ...: FailureReason in types.proto


class RemoteTraceback(Exception):
    """The traceback of an exception, as it was where it was raised. Found as the exception's __cause__."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"
