"""What all options share: frozen, keyword-only, and an unknown key is an error that names the nearest known one."""

import logging
from typing import Annotated, Any, Final, Literal, cast, override

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from metaexpert.exceptions import ConfigError
from metaexpert.logger.configuring.errors import explain

SINK_TYPES: Final[dict[str, type[BaseModel]]] = {}
"""The options of every sink there is, by the `type` that tells them apart in a list."""


def _level_name(value: object) -> object:
    name = logging.getLevelName(value) if isinstance(value, int) and not isinstance(value, bool) else value
    name = name.upper() if isinstance(name, str) else name
    if not isinstance(name, str) or name not in logging.getLevelNamesMapping():
        known = ", ".join(logging.getLevelNamesMapping())
        message = f"must be a level: {known}"
        raise ValueError(message)
    return name


type LevelName = Annotated[str, BeforeValidator(_level_name)]
type LogType = Literal["general", "trade", "audit", "gap", "recovery", "error", "performance", "clock", "alert"]
type Share = Annotated[float, Field(gt=0.0, le=1.0)]
type Seconds = Annotated[float, Field(gt=0.0, le=86_400.0)]


class _OptionsType(type(BaseModel)):
    """Translates pydantic errors where options are made by hand; nested ones keep their place in the whole."""

    @override
    def __call__(cls, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            raise ConfigError(explain(error, cast("type[BaseModel]", cls), SINK_TYPES)) from None


class Options(BaseModel, metaclass=_OptionsType):
    """Base of all options.

    Raises:
        ConfigError: a key is unknown or a value not allowed; the message names key, value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
