"""Lets pymodbus be imported where the serial packages that it never needs here
are not installed."""

import sys
import types


class Absent(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for package in ("serial", "serial_asyncio"):
    try:
        __import__(package)
    except ImportError:
        sys.modules[package] = Absent(package)
