"""What a start would meet: folders that cannot be written, secrets and certificates that cannot be read.

Nothing is left behind: a folder is tried with a file that has no name, and one that is missing is not made.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, final
from urllib.parse import urlsplit

from metaexpert.exceptions import ConfigError
from metaexpert.logger.alerts.target_check import target_errors, target_risks
from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.files.evidence.chain_keys import read_chain_secret, state_of
from metaexpert.logger.files.evidence.seals import seals_of
from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.options.secret_files import is_readable_by_everyone, unreadable_secrets
from metaexpert.logger.options.sink import FileOptions
from metaexpert.logger.options.syslog import SyslogOptions
from metaexpert.logger.sinks.tls import client_context

_TLS_FILES: Final = ("ca_file", "client_cert_file", "client_key_file")


@final
@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        errors: what keeps a sink from working.
        warnings: what works, but is hardly meant.
    """

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def findings(config: LoggerConfig) -> Findings:
    """What a start with this configuration would meet on this machine, now; reads files and tries folders."""
    collectors = {
        f"LoggerConfig.sinks.{at}": sink for at, sink in enumerate(config.sinks) if isinstance(sink, HttpOptions)
    }
    errors = [*_file_errors(config), *unreadable_secrets(config.secret_files())]
    errors += _chain_key_errors(config)
    warnings = [*_open_secrets(config), *_archives_away(config)]
    for key, options in collectors.items():
        errors += _tls_errors(key, options)
        warnings += _risks(key, options)
    for at, sink in enumerate(config.sinks):
        if isinstance(sink, SyslogOptions):
            errors += _tls_errors(f"LoggerConfig.sinks.{at}", sink)
            warnings += _syslog_risks(f"LoggerConfig.sinks.{at}", sink)
    for at, target in enumerate(config.alerts.targets):
        errors += [f"LoggerConfig.alerts.targets.{at}.{error}" for error in target_errors(target)]
        warnings += [f"LoggerConfig.alerts.targets.{at}.{risk}" for risk in target_risks(target)]
    return Findings(tuple(errors), tuple(warnings))


def _file_errors(config: LoggerConfig) -> Iterator[str]:
    paths = [config.log_dir / sink.path for sink in config.all_sinks() if isinstance(sink, FileOptions)]
    for folder in dict.fromkeys(path.parent for path in paths):
        fault = _folder_fault(folder)
        if fault:
            yield f"LoggerConfig.log_dir: no file can be made in {str(folder)!r}: {fault}"
    for path in paths:
        if path.is_dir():
            yield f"LoggerConfig: the log file {str(path)!r} is a folder; give another name"
        elif path.exists() and not os.access(path, os.W_OK):
            yield f"LoggerConfig: the log file {str(path)!r} cannot be written; is it somebody else's, or read-only?"


def _archives_away(config: LoggerConfig) -> Iterator[str]:
    archives = [each.archive.folder for each in config.all_sinks() if isinstance(each, FileOptions) and each.archive]
    for folder in dict.fromkeys(config.log_dir / each for each in archives):
        if not folder.is_dir() and folder.parent != config.log_dir and not folder.parent.is_dir():
            there = str(folder.parent)
            yield f"LoggerConfig.archive.folder: there is no {there!r}; files stay beside the logs until there is"


def _chain_key_errors(config: LoggerConfig) -> Iterator[str]:
    for path, logs in _chain_keys(config).items():
        if path.exists() or not all(state_of(seals_of(log)).exists() for log in logs):  # else it may be away
            try:
                read_chain_secret(path)
            except ConfigError as error:
                yield f"LoggerConfig: {error}"


def _chain_keys(config: LoggerConfig) -> dict[Path, list[Path]]:
    """The files with the secrets of tamper evidence, each with the logs it is for."""
    keys: dict[Path, list[Path]] = {}
    for options in config.all_sinks():
        evidence = options.tamper_evidence if isinstance(options, FileOptions) else None
        if isinstance(options, FileOptions) and evidence is not None and evidence.key_file is not None:
            keys.setdefault(evidence.key_file, []).append(config.log_dir / options.path)
    return keys


def _folder_fault(folder: Path) -> str:
    """Why no file can be made in a folder, or in the nearest one above that exists; empty when one can."""
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        return f"{str(there)!r} is no folder"
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return f"{error.strerror or error} ({str(there)!r})"
    return ""


def _tls_errors(key: str, options: HttpOptions | SyslogOptions) -> Iterator[str]:
    named = [f"{name} {str(path)!r}" for name in _TLS_FILES if (path := getattr(options, name)) is not None]
    if not named:
        return
    try:
        client_context(options)
    except (OSError, ValueError) as error:
        yield f"{key}: {', '.join(named)} cannot be used: {error}"


def _open_secrets(config: LoggerConfig) -> Iterator[str]:
    keys = [("LoggerConfig.tamper_evidence.key_file", path) for path in _chain_keys(config)]
    for field, path in (*config.secret_files().items(), *keys):
        if path.is_file() and is_readable_by_everyone(path):
            yield f"{field}: any user here can read {str(path)!r}; chmod o-r (Kubernetes: defaultMode 0400)"


def _risks(key: str, options: HttpOptions) -> Iterator[str]:
    if not options.verify_tls:
        yield f"{key}.verify_tls: is off: whoever stands in between can read and answer; name a ca_file instead"
    if options.url is not None:
        yield from _risks_of(f"{key}.url", options.url, options)
    for at, url in enumerate(options.urls):
        yield from _risks_of(f"{key}.urls.{at}", url, options)


def _risks_of(key: str, url: str, options: HttpOptions) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme == "http" and _has_credentials(options) and not _is_loopback(parts.hostname or ""):
        yield f"{key}: credentials go to {url!r} unencrypted; use https"
    if parts.scheme == "http" and any(getattr(options, name) for name in _TLS_FILES):
        yield f"{key}: {url!r} is not encrypted, the certificates are not used; use https"


def _syslog_risks(key: str, options: SyslogOptions) -> Iterator[str]:
    if not options.verify_tls:
        yield f"{key}.verify_tls: is off: whoever stands in between can read; name a ca_file instead"
    if options.transport in {"udp", "tcp"} and not _is_loopback(options.host):
        yield f'{key}.transport: {options.transport!r} to {options.host!r} is not encrypted; use "tls"'


def _has_credentials(options: HttpOptions) -> bool:
    secrets = (options.username, options.bearer_token, options.api_key, options.headers, options.secret_files())
    return any(map(bool, secrets))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
