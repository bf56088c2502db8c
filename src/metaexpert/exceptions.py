"""The one root of every error MetaExpert raises on purpose; each message says what was wrong, where, and what to do."""


class MetaExpertError(Exception):
    """Root of all MetaExpert errors."""


class ConfigError(MetaExpertError, ValueError):
    """A configuration value is not usable; the message names the key, the value and what is allowed."""


class LoggingStateError(MetaExpertError):
    """The logging runtime was used in a state that does not allow it, for instance started twice."""


class ReceiptError(MetaExpertError):
    """What a receipt was asked for will not come; the message says why: of the entry, the sink, the journal."""
