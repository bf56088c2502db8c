"""The machine, the Python and the versions that figures belong to."""

import os
import platform
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from bench.peers.registry import PEERS, STDLIB

_CPUINFO = Path("/proc/cpuinfo")


def environment() -> Mapping[str, str]:
    """What a reader needs to know before comparing figures."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()} ({_build()})",
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }


def load() -> str:
    """How busy the machine is with everything, this benchmark included: the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def versions() -> Mapping[str, str]:
    """Each library's installed version, or that it is not installed."""
    return {
        info.distribution: info.version() or "not installed" for info in PEERS.values() if info.distribution != STDLIB
    }


def _build() -> str:
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "optimised build" if "--enable-optimizations" in arguments else "build without profile-guided optimisation"


def _processor() -> str:
    if not _CPUINFO.exists():
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in _CPUINFO.read_text().splitlines() if "model name" in line]
    return models[0] if models else platform.machine()
