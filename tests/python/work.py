"""What the tests have run elsewhere: functions of a module of the program's own, which goes along by source."""

import collections
import dataclasses
import enum
import functools
import math
import os
import os.path
import sys
import threading
import time
import xml.etree.ElementTree as tree
from math import gcd
from pathlib import Path
from typing import TypeVar

from shapes import Square, describe

T = TypeVar("T")
GREETING = "Grüße, "
Point = collections.namedtuple("Point", "x y")
ORIGIN = Point(0, 0)
LOCK = threading.Lock()


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Account:
    owner: str
    balance: int = 0

    def deposit(self, amount: int) -> "Account":
        return Account(self.owner, self.balance + amount)


class Broken(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def twice(function):
    @functools.wraps(function)
    def both(*args):
        return function(*args), function(*args)

    return both


def square(x):
    return x * x


def add(a, b, *, c=0):
    return a + b + c


def greet(name: T) -> T:
    return GREETING + name


def distance(point):
    return math.hypot(point.x - ORIGIN.x, point.y - ORIGIN.y)


@twice
def doubled(x):
    return square(x)


@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def uses_modules(text):
    return tree.fromstring(text).tag + os.path.basename("/a/b") + str(gcd(12, 18))


def other_modules_class(side):
    return describe(Square(side))


def same_colour(colour):
    return colour is Colour.RED, colour


def reciprocal(x):
    return 1 / x


def raise_broken():
    raise Broken("no pickle brings me back", 2)


def return_lock():
    return threading.Lock()


def uses_lock():
    with LOCK:
        return 1


def die(code):
    print("Schluß", file=sys.stderr, flush=True)
    os._exit(code)


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def size_and_ends(content):
    return len(content), content[:1], content[-1:]


def count_letters(name):
    text = Path(name).read_text()
    Path(f"{Path(name).stem}-Zahl.txt").write_text(f"{len(text)}\n")
    return len(text)


def goes_away(x):
    os.chdir("/tmp")
    return x


def same_file(x):
    Path("same.txt").write_text(str(x))


def set_mark(mark):
    os.environ["MARK"] = mark


def get_mark(_):
    return os.environ["MARK"]


def waits_for(seconds, x):
    time.sleep(seconds)
    return x * x
