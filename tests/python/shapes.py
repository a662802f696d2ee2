"""Another module of the program's own, from which work.py imports."""


class Shape:
    def area(self):
        raise NotImplementedError


class Square(Shape):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


def describe(shape):
    return f"{type(shape).__name__} of {shape.area()}"
