#!/usr/bin/env python3
"""Greets from wherever it runs: hearth run -n 3 -- examples/hello.py"""
import os
import platform

task = os.environ.get("HEARTH_TASK_INDEX", "0")
count = os.environ.get("HEARTH_TASK_COUNT", "1")
print(f"Hello from task {task} of {count}: Python {platform.python_version()}, {os.cpu_count()} cores here")
