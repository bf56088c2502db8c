"""Elasticsearch's `filter_path`: keep only the named parts of a response.

Lists are transparent and keep their positions only as far as their members keep something; `*` stands for
any one key. Source: Elasticsearch reference, "Common options", response filtering.
"""

from metaexpert.demo.collector.wire import Json

type Tree = dict[str, Tree]


def filter_response(response: Json, filter_path: str) -> Json:
    """`response` reduced to the comma-separated paths; whole when there are none."""
    if not filter_path:
        return response
    kept = _keep(response, _tree(filter_path))
    return {} if kept is None else kept


def _tree(filter_path: str) -> Tree:
    root: Tree = {}
    for path in filter_path.split(","):
        node = root
        for part in path.split("."):
            node = node.setdefault(part, {})
    return root


def _keep(value: Json, tree: Tree) -> Json:
    """What `tree` leaves of `value`; None when nothing is left. An empty tree keeps all."""
    if not tree:
        return value
    if isinstance(value, list):
        return [kept for member in value if (kept := _keep(member, tree)) is not None] or None
    if not isinstance(value, dict):
        return None
    every = tree.get("*")
    kept_members: dict[str, Json] = {}
    for key, member in value.items():
        subtree = tree.get(key, every)
        if subtree is not None and (kept := _keep(member, subtree)) is not None:
            kept_members[key] = kept
    return kept_members or None
