"""The commands of `metaexpert logs` by name, each in a module of its own that is imported when it is asked for."""

from typing import Final

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    name: (f"{__package__}.{module}", attribute)
    for name, module, attribute in (
        ("tail", "logs_tail", "tail"),
        ("grep", "logs_grep", "grep"),
        ("errors", "logs_errors", "errors"),
        ("stats", "logs_stats", "stats"),
        ("trades", "logs_trades", "trades"),
        ("query", "logs_query", "query"),
        ("export", "logs_export", "export"),
        ("last-crash", "logs_last_crash", "last_crash"),
        ("clock", "logs_clock", "clock"),
        ("verify", "logs_verify", "verify"),
        ("retention", "logs_retention", "retention"),
        ("restore", "logs_restore", "restore"),
        ("hold", "logs_hold", "hold"),
        ("spool", "logs_spool", "spool"),
        ("dead-letters", "logs_dead_letters", "dead_letters"),
        ("config", "logs_config", "config"),
        ("schema", "logs_config", "schema"),
    )
}
"""Module and name of each, in the order in which the help lists them."""
