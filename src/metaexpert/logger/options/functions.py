"""Options that are functions: given as such in code, by name in a file or a variable."""

from pkgutil import resolve_name


def named_function(value: object) -> object:
    """What `"package.module:name"` names; anything else as it is.

    Raises:
        ValueError: the name is not of that form, or there is no such thing.
    """
    if not isinstance(value, str):
        return value
    if ":" not in value:
        message = 'must be a function, or its name such as "package.module:name"'
        raise ValueError(message)
    try:
        return resolve_name(value)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"cannot be found: {error}"
        raise ValueError(message) from error
